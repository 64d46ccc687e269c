package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// interruptible returns a context that ends, with an interruptError as its
// cause, at the first signal that asks the program to stop; onFirst is called
// before. The second one finds the default again and stops the program at
// once. The function returned ends all of that.
func interruptible(ctx context.Context, onFirst func(os.Signal)) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) { // nohup and background jobs stay what they are
			signal.Notify(signals, s)
		}
	}
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			onFirst(s)
			cancel(&interruptError{s})
		case <-done:
			signal.Stop(signals)
		}
	})
	return ctx, sync.OnceFunc(func() {
		close(done)
		watching.Wait()
		cancel(nil)
	})
}

// outlivePipes makes writes to a closed standard output or error fail, where
// they would else end the program, in the middle of a create perhaps.
// Catching the signal, rather than ignoring it, leaves the programs started
// from here as they are.
func outlivePipes() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
}
