package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/tegwick/sand-boxer"
)

// How often a wait is shown to go on.
const (
	liveEvery  = 100 * time.Millisecond // the live line of a terminal
	plainEvery = 15 * time.Second       // a line, where there is no terminal
)

// A style is how progress is shown.
type style int

const (
	silent style = iota
	plain        // a line for each step
	live         // one line, redrawn in place
)

// progress tells on standard error what goes on and for how long.
type progress struct {
	console *console

	mu    sync.Mutex
	style style
	begun time.Time       // of the operation
	event sandboxer.Event // the last one
	undid bool            // there was something to undo
	quit  chan struct{}   // closed by stop; nil while nothing runs
	done  chan struct{}   // closed when the ticker has ended
}

// start shows an operation until stop is called.
func (p *progress) start(s style, doing string) {
	p.mu.Lock()
	p.style, p.begun, p.event = s, time.Now(), sandboxer.Event{Message: doing}
	quit, done := make(chan struct{}), make(chan struct{})
	p.quit, p.done = quit, done
	p.mu.Unlock()
	if s == silent {
		close(done)
		return
	}
	every := plainEvery
	if s == live {
		every = liveEvery
		p.tick(s)
	}
	go func() {
		defer close(done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				p.tick(s)
			}
		}
	}()
}

// stop takes the live line away. It may be called again, or without start.
func (p *progress) stop() {
	p.mu.Lock()
	quit, done := p.quit, p.done
	p.quit = nil
	p.mu.Unlock()
	if quit == nil {
		return
	}
	close(quit)
	<-done
	p.plainly()
}

// plainly goes on with whole lines: what is said from here on is to stay.
func (p *progress) plainly() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.style == live {
		p.style = plain
		p.console.setLive("")
	}
}

// step is a Sandboxer.Progress. An event without a phase is a remark, which
// the log shows. That something is undone is said in any style.
func (p *progress) step(e sandboxer.Event) {
	if e.Phase == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.event = e
	if e.Phase == sandboxer.PhaseUndo {
		p.undid = true
		p.console.printf("sandboxer: %s", e.Message)
		return
	}
	p.show()
}

// say replaces what is shown of an operation without phases.
func (p *progress) say(doing string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.event = sandboxer.Event{Message: doing}
}

// tick shows that it goes on, as long as the style is s.
func (p *progress) tick(s style) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.style == s {
		p.show()
	}
}

// show is called with mu held, so that no line comes after the style that it
// was meant for.
func (p *progress) show() {
	switch p.style {
	case plain:
		p.console.printf("%s", p.line())
	case live:
		p.console.setLive(p.line())
	}
}

// line is "sandboxer: start 3.2s: starting in docker".
func (p *progress) line() string {
	elapsed := fmt.Sprintf("%.1fs", time.Since(p.begun).Seconds())
	if p.event.Phase == "" {
		return fmt.Sprintf("sandboxer: %s %s", p.event.Message, elapsed)
	}
	return fmt.Sprintf("sandboxer: %s %s: %s", p.event.Phase, elapsed, p.event.Message)
}

// undone reports whether an operation took back what it had done so far.
func (p *progress) undone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.undid
}
