package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// A logHandler prints log records as lines on the console: what is worth a
// warning always, the rest with the time since the start.
type logHandler struct {
	console *console
	level   slog.Level
	begun   time.Time
	attrs   string
	group   string
}

func (h *logHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }

func (h *logHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString("sandboxer: ")
	if h.level < slog.LevelInfo {
		fmt.Fprintf(&b, "%.2fs ", time.Since(h.begun).Seconds())
	}
	if r.Level >= slog.LevelWarn {
		b.WriteString(strings.ToLower(r.Level.String()) + ": ")
	}
	b.WriteString(r.Message + h.attrs)
	r.Attrs(func(attr slog.Attr) bool {
		b.WriteString(h.text(attr))
		return true
	})
	h.console.printf("%s", b.String())
	return nil
}

// text is one attribute, or nothing where it has no value to show.
func (h *logHandler) text(a slog.Attr) string {
	value := a.Value.Resolve().String()
	if value == "" || a.Key == "" {
		return ""
	}
	if strings.ContainsAny(value, " \t\n\"=") {
		value = fmt.Sprintf("%q", value)
	}
	return " " + h.group + a.Key + "=" + value
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	for _, a := range attrs {
		next.attrs += h.text(a)
	}
	return &next
}

func (h *logHandler) WithGroup(name string) slog.Handler {
	next := *h
	if name != "" {
		next.group += name + "."
	}
	return &next
}
