package sandboxer

import (
	"fmt"
	"strconv"
	"strings"
)

// ParseAlertRule reads a rule as a command line has it: a field, "<" or ">",
// and a bound, then perhaps clear=, count=, of= and name=, with commas:
//
//	disk_root_avail_gb<10
//	canary_failed>0,count=2,of=5
func ParseAlertRule(s string) (AlertRule, error) {
	head, rest, more := strings.Cut(s, ",")
	at := strings.IndexAny(head, "<>")
	if at < 0 {
		return AlertRule{}, fmt.Errorf("%q: want a rule such as disk_root_avail_gb<10", abbreviate(s))
	}
	bound, err := strconv.ParseFloat(strings.TrimSpace(head[at+1:]), 64)
	if err != nil {
		return AlertRule{}, fmt.Errorf("%q: want a number after %c", abbreviate(s), head[at])
	}
	rule := AlertRule{Field: strings.TrimSpace(head[:at])}
	if head[at] == '<' {
		rule.Below = &bound
	} else {
		rule.Above = &bound
	}
	for more {
		var part string
		part, rest, more = strings.Cut(rest, ",")
		if err := rule.set(part); err != nil {
			return AlertRule{}, fmt.Errorf("%q: %w", abbreviate(s), err)
		}
	}
	if err := rule.check(); err != nil {
		return AlertRule{}, fmt.Errorf("%q: %w", abbreviate(s), err)
	}
	return rule, nil
}

func (r *AlertRule) set(part string) error {
	key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
	var err error
	switch key {
	case "name":
		r.Name = value
	case "clear":
		var v float64
		v, err = strconv.ParseFloat(value, 64)
		r.Clear = &v
	case "count":
		r.Count, err = strconv.Atoi(value)
	case "of":
		r.Of, err = strconv.Atoi(value)
	default:
		return fmt.Errorf("%q is none of name=, clear=, count= and of=", abbreviate(key))
	}
	if err != nil {
		return fmt.Errorf("%s=%s: want a number", key, abbreviate(value))
	}
	return nil
}
