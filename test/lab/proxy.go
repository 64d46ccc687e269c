package lab

import (
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy is a TCP proxy that is slow, counts, and breaks on demand. Its methods
// are safe for concurrent use.
type Proxy struct {
	Addr string // ip:port to connect to

	target string
	delay  time.Duration
	listen net.Listener
	all    sync.WaitGroup // every goroutine

	mu      sync.Mutex
	changed *sync.Cond // on stalled and closed
	stalled bool
	closed  bool
	cutAt   int64 // bytes towards the server after which all is cut; < 0 for never
	links   map[*link]bool
	count   counts
}

// counts are the figures of a Proxy.
type counts struct {
	connections, roundTrips int
	up, down                int64
}

// link is one connection through the proxy. Its fields are guarded by the
// proxy's mu.
type link struct {
	client, server net.Conn

	// Messages form chains: what one side sends depends on what it had got
	// before. Each figure is the length, in one-way trips since the connection
	// stood, of the longest chain that has reached that side.
	atClient, atServer int
}

// DelayProxy starts a proxy to target that carries everything delay later in
// each direction, as a longer wire would, without limiting the throughput. A
// connection costs a round trip of its own before its first byte moves. The
// proxy ends with the test.
func DelayProxy(t testing.TB, target string, delay time.Duration) *Proxy {
	t.Helper()
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{
		Addr: listen.Addr().String(), target: target, delay: delay,
		listen: listen, cutAt: -1, links: make(map[*link]bool),
	}
	p.changed = sync.NewCond(&p.mu)
	p.all.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Connections returns how many connections were accepted.
func (p *Proxy) Connections() int { return p.counts().connections }

// RoundTrips returns how many round trips the connections so far have taken:
// for each of them one to connect, and the longest chain of messages in which
// every one was sent after the one before it had arrived. It is what the user
// waits for on a long wire, and it is exact only if delay is well above the time
// either side needs to answer: what is sent by then counts as an answer to what
// came in meanwhile, so it may be too many, and never too few.
//
// On a real wire a server that has Nagle's algorithm on, as sshd has until a
// command starts, holds small messages back until the ones before them are
// acknowledged. The proxy acknowledges at once, so that is not counted: with
// OpenSSH 9.2 it adds two round trips to a login, whoever the client is.
func (p *Proxy) RoundTrips() int { return p.counts().roundTrips }

// BytesUp returns how many bytes clients sent towards the server.
func (p *Proxy) BytesUp() int64 { return p.counts().up }

// BytesDown returns how many bytes the server sent towards clients.
func (p *Proxy) BytesDown() int64 { return p.counts().down }

// Stall makes a black hole of the proxy: connections stay open and are still
// accepted, and nothing moves on them, until Resume.
func (p *Proxy) Stall() { p.setStalled(true) }

// Resume ends Stall. What was sent meanwhile arrives now.
func (p *Proxy) Resume() { p.setStalled(false) }

// Cut resets every open connection. New ones are welcome.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut()
}

// CutAfter cuts once, when n more bytes have been carried towards the server
// over all connections.
func (p *Proxy) CutAfter(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutAt = p.count.up + n
}

func (p *Proxy) counts() counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

func (p *Proxy) setStalled(stalled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled = stalled
	p.changed.Broadcast()
}

// cut resets every link; the caller holds mu.
func (p *Proxy) cut() {
	for l := range p.links {
		for _, conn := range []net.Conn{l.client, l.server} {
			reset(conn)
		}
	}
}

// reset ends a connection, which may be nil, without politeness.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
		_ = tcp.Close()
	}
}

func (p *Proxy) close() {
	p.listen.Close()
	p.mu.Lock()
	p.closed = true
	p.changed.Broadcast()
	p.cut()
	p.mu.Unlock()
	p.all.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listen.Accept()
		if err != nil {
			return
		}
		p.all.Go(func() { p.carry(client) })
	}
}

// carry serves one connection until both of its directions have ended. The
// client has its connection a round trip after it asked; the server has it, by
// the client's answer, half a round trip later.
func (p *Proxy) carry(client net.Conn) {
	defer client.Close()
	start := time.Now()
	l := &link{client: client, atServer: 1}
	if !p.add(l) {
		return
	}
	defer p.remove(l)
	up := p.read(l, client, start.Add(2*p.delay), true)
	time.Sleep(time.Until(start.Add(3 * p.delay)))
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		reset(client)
		return
	}
	defer server.Close()
	if !p.connect(l, server) {
		return
	}
	down := p.read(l, server, start, false)
	var both sync.WaitGroup
	both.Go(func() { p.write(l, up, client, server, true) })
	both.Go(func() { p.write(l, down, server, client, false) })
	both.Wait()
}

// add counts a link and lets cut reach it. It is false if the proxy has ended.
func (p *Proxy) add(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count.connections++
	p.count.roundTrips++
	p.links[l] = true
	return !p.closed
}

func (p *Proxy) connect(l *link, server net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	l.server = server
	return !p.closed
}

func (p *Proxy) remove(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

// packet is what was read at once, on its way.
type packet struct {
	data  []byte
	due   time.Time
	chain int // how many one-way trips it ends
}

// read reads one direction of a link until it ends. Nothing leaves before open.
func (p *Proxy) read(l *link, from net.Conn, open time.Time, up bool) <-chan packet {
	wire := make(chan packet, 4096) // enough in flight not to limit the throughput
	p.all.Go(func() {
		defer close(wire)
		for {
			buf := make([]byte, 32<<10)
			n, err := from.Read(buf)
			if n > 0 {
				left := time.Now()
				if left.Before(open) {
					left = open
				}
				wire <- packet{buf[:n], left.Add(p.delay), p.sent(l, n, up)}
			}
			if err != nil {
				return
			}
		}
	})
	return wire
}

// write delivers one direction of a link and passes its end on.
func (p *Proxy) write(l *link, wire <-chan packet, from, to net.Conn, up bool) {
	for pk := range wire {
		time.Sleep(time.Until(pk.due))
		err := p.wait()
		if err == nil {
			p.arrived(l, pk.chain, up)
			_, err = to.Write(pk.data)
		}
		if err != nil {
			from.Close() // ends read
			for range wire {
			}
			return
		}
	}
	_ = to.(*net.TCPConn).CloseWrite()
}

// sent counts n bytes that left one side and returns their chain.
func (p *Proxy) sent(l *link, n int, up bool) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !up {
		p.count.down += int64(n)
		return l.atServer + 1
	}
	p.count.up += int64(n)
	if p.cutAt >= 0 && p.count.up >= p.cutAt {
		p.cutAt = -1
		p.cut()
	}
	return l.atClient + 1
}

// arrived notes that a chain has reached the other side.
func (p *Proxy) arrived(l *link, chain int, up bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if up {
		l.atServer = max(l.atServer, chain)
		return
	}
	before := l.atClient
	l.atClient = max(l.atClient, chain)
	p.count.roundTrips += (l.atClient - before) / 2 // always even: it began at the client
}

// wait returns when nothing stalls, with an error if the proxy has ended.
func (p *Proxy) wait() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.stalled && !p.closed {
		p.changed.Wait()
	}
	if p.closed {
		return net.ErrClosed
	}
	return nil
}
