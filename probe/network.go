package probe

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	sandboxer "github.com/tegwick/sand-boxer"
)

// network reads /proc/net/sockstat:
//
//	sockets: used 294
//	TCP: inuse 14 orphan 0 tw 10 alloc 55 mem 3
func (r *reading) network(n *sandboxer.Network) {
	for line := range strings.Lines(r.files["/proc/net/sockstat"]) {
		words := strings.Fields(line)
		for i := 1; i+1 < len(words); i += 2 {
			switch words[0] + words[i] {
			case "sockets:used":
				n.SocketsUsed = parseInt(words[i+1])
			case "TCP:inuse":
				n.TCPInUse = parseInt(words[i+1])
			case "TCP:tw":
				n.TCPTimeWait = parseInt(words[i+1])
			}
		}
	}
}

// listening returns the listening TCP sockets of /proc/net/tcp and tcp6. An
// address is in hexadecimal words, each in the byte order of the machine:
//
//	0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 ...
func (r *reading) listening() []string {
	ports := []string{}
	for _, path := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		for line := range strings.Lines(r.files[path]) {
			words := strings.Fields(line)
			if len(words) < 4 || words[3] != "0A" {
				continue
			}
			if addr, ok := parseSocket(words[1], r.bigEndian()); ok {
				ports = append(ports, "tcp "+addr.String())
			}
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

func (r *reading) bigEndian() bool {
	arch := r.obs.Snapshot.Identity.Arch
	return arch != nil && slices.Contains([]string{"s390x", "ppc64", "ppc", "mips", "mips64"}, *arch)
}

func parseSocket(s string, bigEndian bool) (netip.AddrPort, bool) {
	host, port, ok := strings.Cut(s, ":")
	raw, err := hex.DecodeString(host)
	n, perr := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil || perr != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw) && !bigEndian; i += 4 {
		binary.BigEndian.PutUint32(raw[i:], binary.LittleEndian.Uint32(raw[i:]))
	}
	addr, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr, uint16(n)), ok
}
