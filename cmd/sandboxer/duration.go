package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tegwick/sand-boxer"
)

// maxAge bounds what --ttl and --older-than take: ten years. Anything above
// is a typing error, and would come near what a time.Duration can hold.
const maxAge = 87600 * time.Hour

// parseAge reads a value of --ttl or --older-than: a bare number is hours,
// anything else a Go duration. It is more than 0 and at most maxAge, so that
// no slip ever turns into "everything" or "never".
func parseAge(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if hours, numErr := strconv.ParseFloat(s, 64); numErr == nil && !strings.ContainsAny(s, "xX_") {
		// Compared before it is converted: NaN fails both comparisons, and
		// what is too large for a Duration fails the second.
		if !(hours > 0 && hours <= maxAge.Hours()) {
			return 0, errAgeRange
		}
		d, err = time.Duration(hours*float64(time.Hour)), nil
	}
	switch {
	case err != nil:
		return 0, errors.New("want hours, such as 24, or a duration, such as 90m")
	case d <= 0 || d > maxAge:
		return 0, errAgeRange
	}
	return d, nil
}

var errAgeRange = fmt.Errorf("want more than 0 and at most %.0f hours", maxAge.Hours())

// parseWait reads a value of a flag that bounds a wait. A unit is required.
func parseWait(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		return 0, errors.New("want a duration with a unit, such as 90s or 5m")
	case d <= 0 || d > maxAge:
		return 0, errAgeRange
	}
	return d, nil
}

// A durationFlag is a pflag.Value around one of the two parsers above.
type durationFlag struct {
	parse func(string) (time.Duration, error)
	value time.Duration
	kind  string
}

func ageFlag(value time.Duration) *durationFlag {
	return &durationFlag{parse: parseAge, value: value, kind: "hours"}
}

func waitFlag(value time.Duration) *durationFlag {
	return &durationFlag{parse: parseWait, value: value, kind: "duration"}
}

// keepFlag bounds how long something is kept, which may be not at all.
func keepFlag(value time.Duration) *durationFlag {
	return &durationFlag{parse: parseKeep, value: value, kind: "duration"}
}

func parseKeep(s string) (time.Duration, error) {
	if s == "0" {
		return 0, nil
	}
	d, err := parseWait(s)
	if err == nil && d > sandboxer.MaxKeepTrash {
		return 0, fmt.Errorf("want at most %s", shortDuration(sandboxer.MaxKeepTrash))
	}
	return d, err
}

func (f *durationFlag) Set(s string) error {
	d, err := f.parse(s)
	if err != nil {
		return err
	}
	f.value = d
	return nil
}

func (f *durationFlag) Type() string { return f.kind }

// String is what help shows as the default: as the flag would take it.
func (f *durationFlag) String() string {
	switch {
	case f.value == 0:
		return ""
	case f.kind == "hours":
		return strconv.FormatFloat(f.value.Hours(), 'f', -1, 64)
	}
	return shortDuration(f.value)
}

// shortDuration prints d without the zeros time.Duration ends in: 2m, not
// 2m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
