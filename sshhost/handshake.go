package sshhost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// defaultTimeout bounds the way to a host where nothing else does.
const defaultTimeout = 20 * time.Second

var errTimeout = errors.New("no answer in time")

// dial finds out about the target, connects, and logs in. It comes again only
// where a server turned it away unheard.
func (h *Host) dial(ctx context.Context) (*link, error) {
	start := time.Now()
	bounded, cancel := context.WithDeadlineCause(ctx, start.Add(h.timeout(0)), errTimeout)
	defer cancel()
	t, err := h.resolve(bounded)
	if err != nil {
		return nil, err
	}
	ctx, limit, cancel := withPatience(ctx, start.Add(h.timeout(t.connectTimeout)), errTimeout)
	defer cancel()
	if l := h.attach(ctx, t); l != nil {
		return l, nil
	}
	keys, err := h.loadHostKeys(t)
	if err != nil {
		return nil, h.fail("host key", err, "")
	}
	ring := &keyring{h: h, t: t, limit: limit}
	defer ring.close()
	for try := 0; ; try++ {
		l, c, err := h.dialOnce(ctx, t, keys, ring)
		switch {
		case err == nil:
			return l, nil
		case errors.Is(err, ErrAuth) && ring.another():
			h.traceRetry(ctx, "auth", err)
			try--
		case turnedAway(c, err) && !t.proxied() && try+1 < maxTries:
			h.traceRetry(ctx, "dial", err)
			if !pause(ctx, try) {
				return nil, err
			}
		default:
			return nil, err
		}
	}
}

// dialOnce makes one connection. It returns the stream it came over, if it
// came to one, for the judgement of an error.
func (h *Host) dialOnce(ctx context.Context, t target, keys *hostKeys, ring *keyring) (l *link, c *conn, err error) {
	h.dials.Add(1)
	start := time.Now()
	defer func() {
		h.traceDial(ctx, DialEvent{Address: t.address(), Proxied: t.proxied(), Took: time.Since(start), Err: err})
	}()
	// With a deadline, a name's second address gets its share of the time.
	bounded, cancel := context.WithDeadlineCause(ctx, ring.limit.deadline(), errTimeout)
	defer cancel()
	if c, err = h.connect(bounded, t); err != nil {
		return nil, nil, err
	}
	l, err = h.login(ctx, t, keys, ring, c)
	return l, c, err
}

func (h *Host) timeout(configured time.Duration) time.Duration {
	switch {
	case h.cfg.Timeout > 0:
		return h.cfg.Timeout
	case configured > 0:
		return configured
	}
	return defaultTimeout
}

// login does the handshake and proves who we are. It owns c, and closes it
// unless it succeeds.
func (h *Host) login(ctx context.Context, t target, keys *hostKeys, ring *keyring, c *conn) (*link, error) {
	// A deadline would not do: a server may trickle, and a proxy has none.
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	var methods []string // what the server accepts; nil until it has said so
	config := &ssh.ClientConfig{
		Config: ssh.Config{
			KeyExchanges: allowed(supported().KeyExchanges, t.kex),
			Ciphers:      allowed(supported().Ciphers, t.ciphers),
			MACs:         allowed(supported().MACs, t.macs),
		},
		User:              t.user,
		HostKeyAlgorithms: keys.algorithms(),
		HostKeyCallback:   keys.check,
		Auth:              []ssh.AuthMethod{ssh.PublicKeysCallback(func() ([]ssh.Signer, error) { return ring.next(ctx), nil })},
		AuthCallback: func(c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
			methods = append(methods[:0], c.AllowedMethods...)
			if rest := ring.rest(); len(rest) > 0 {
				return ssh.PublicKeys(rest...), nil
			}
			return nil, nil
		},
	}
	first, _ := t.names()
	client, channels, requests, err := ssh.NewClientConn(c, first, config)
	if err != nil {
		c.Close()
		return nil, h.loginError(ctx, t, keys, c, ring, methods, err)
	}
	if !stop() { // ctx ended, and c is closed
		client.Close()
		return nil, h.fail("dial", context.Cause(ctx), "")
	}
	return newLink(h, c, client, channels, requests, false), nil
}

// loginError says which part of the way in failed. The library has texts
// only, so it is judged by how far things had come.
func (h *Host) loginError(ctx context.Context, t target, keys *hostKeys, c *conn, ring *keyring, methods []string, err error) error {
	at := t.address()
	switch {
	case keys.verdict != nil:
		return keys.verdict
	case ctx.Err() != nil && methods == nil:
		return h.fail("dial", fmt.Errorf("%w: ssh handshake with %s", context.Cause(ctx), at), "")
	case ctx.Err() != nil:
		return h.fail("auth", fmt.Errorf("%w: login as %s at %s", context.Cause(ctx), t.user, at), "")
	case methods != nil && !lost(err):
		return h.authError(t, ring, methods, err)
	}
	if p, ok := c.Conn.(*proxyConn); ok {
		if text := p.complaint(); text != "" {
			return h.fail("dial", fmt.Errorf("proxy: %s", text), "")
		}
	}
	return h.fail("dial", err, "")
}

// lost reports whether err is the connection's and not the server's word.
func lost(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &op)
}

func (h *Host) authError(t target, ring *keyring, methods []string, err error) error {
	ids := ring.identities()
	text := fmt.Sprintf("%s@%s accepts %s", t.user, t.host, strings.Join(methods, ", "))
	if offered := ring.offered(); len(offered) > 0 {
		text += "; offered " + strings.Join(offered, ", ")
	} else {
		text += "; no key to offer"
	}
	if len(ids.skipped) > 0 {
		text += "; skipped " + strings.Join(ids.skipped, ", ")
	}
	if n := ring.left(); n > 0 {
		text += fmt.Sprintf("; %d more keys not offered", n)
	}
	hint := "ssh-copy-id " + h.aliasArgs()
	kind := fmt.Errorf("%w: %s (%w)", ErrAuth, text, err)
	switch {
	case ids.undecrypted != nil:
		kind, hint = fmt.Errorf("%w: %w: %s (%w)", ErrAuth, ErrPassphrase, text, err), ""
	case ids.locked != "":
		kind, hint = fmt.Errorf("%w: %w: %s (%w)", ErrAuth, ErrKeyLocked, text, err), "ssh-add "+ids.locked
	case !slices.Contains(methods, "publickey"):
		hint = "only keys are supported here, and this server wants none"
	case len(ids.names) == 0:
		kind = fmt.Errorf("%w: %w: %s (%w)", ErrAuth, ErrNoKey, text, err)
	case len(ids.names) > 3:
		hint = fmt.Sprintf("servers give up after a few keys: name the right one with IdentityFile and IdentitiesOnly yes for %s in %s", h.alias, h.configName())
	}
	return h.fail("auth", kind, hint)
}

// supported lists all the library can do, what is fast and sound first. What
// of it is allowed is for ssh_config to say; OpenSSH's defaults leave out what
// is broken.
func supported() ssh.Algorithms {
	good, old := ssh.SupportedAlgorithms(), ssh.InsecureAlgorithms()
	return ssh.Algorithms{
		KeyExchanges: append(good.KeyExchanges, old.KeyExchanges...),
		Ciphers:      append(good.Ciphers, old.Ciphers...),
		MACs:         append(good.MACs, old.MACs...),
	}
}

// allowed returns those of ours that ssh_config allows. None at all is the
// library's default, as where ssh says nothing.
func allowed(ours, configured []string) []string {
	var both []string
	for _, a := range ours {
		if slices.Contains(configured, a) {
			both = append(both, a)
		}
	}
	return both
}
