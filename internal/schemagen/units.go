package main

import "strings"

// unitOf returns the unit that the suffix of a field's name stands for, or
// "". A count has the unit "count" if it says no other before _total.
func unitOf(name string) string {
	stem, total := strings.CutSuffix(name, "_total")
	switch stem[strings.LastIndexByte(stem, '_')+1:] {
	case "bytes":
		return "bytes"
	case "seconds":
		return "seconds"
	case "ms":
		return "milliseconds"
	case "us":
		return "microseconds"
	case "ratio":
		return "ratio"
	case "celsius":
		return "celsius"
	case "gb":
		return "gigabytes"
	}
	if total {
		return "count"
	}
	return ""
}

// minimumOf returns the least value of an integer. All of them count
// something, and are never negative, but for intervals: one between two
// clocks, or across a clock that was set, can be.
func minimumOf(name string) string {
	switch unitOf(name) {
	case "seconds", "milliseconds", "microseconds":
		if !strings.HasSuffix(name, "_total") {
			return "-" + maxInteger
		}
	}
	return "0"
}
