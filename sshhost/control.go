package sshhost

import (
	"context"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

// attach goes over the connection of an ssh that is running already, where
// the user has one (ControlMaster): it has checked the host's key and logged
// in, perhaps by means that only a person has. It returns nil where there is
// none, or none that answers: a socket may be left over, and one that has been
// silent once is not asked again.
func (h *Host) attach(ctx context.Context, t target) *link {
	if t.controlPath == "" || h.deafControl.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, agentPatience)
	defer cancel()
	var d net.Dialer
	start := time.Now()
	raw, err := d.DialContext(ctx, "unix", t.controlPath)
	if err != nil {
		return nil
	}
	h.dials.Add(1)
	c := newConn(raw)
	stop := context.AfterFunc(ctx, func() { c.Close() })
	client, channels, requests, err := ssh.NewControlClientConn(c)
	if err != nil || !stop() {
		c.Close()
		h.log.WarnContext(ctx, "ControlMaster not used", "host", h.alias, "socket", t.controlPath, "err", err)
		return nil
	}
	h.traceDial(ctx, DialEvent{Address: t.controlPath, Control: true, Took: time.Since(start)})
	return newLink(h, c, client, channels, requests, true)
}
