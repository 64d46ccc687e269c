package sshhost

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestPatience(t *testing.T) {
	for _, tt := range []struct {
		name  string
		asks  []time.Duration // how long each question takes; they follow each other after a second
		after time.Duration   // when the time is used up
	}{
		{"nobody is asked", nil, 10 * time.Second},
		{"somebody thinks", []time.Duration{time.Hour}, time.Hour + 10*time.Second},
		{"somebody thinks twice", []time.Duration{time.Minute, time.Hour}, time.Hour + time.Minute + 10*time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, cause := time.Now(), errors.New("time is up")
				ctx, p, cancel := withPatience(t.Context(), start.Add(10*time.Second), cause)
				defer cancel()
				for _, long := range tt.asks {
					<-time.After(time.Second)
					p.ask(func() { <-time.After(long) })
				}
				<-ctx.Done()
				if took := time.Since(start); took != tt.after || context.Cause(ctx) != cause {
					t.Errorf("got %v after %v, want %v after %v", context.Cause(ctx), took, cause, tt.after)
				}
			})
		})
	}
}
