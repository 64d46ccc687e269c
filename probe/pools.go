package probe

import "net/netip"

// An addressPool is a range that docker takes networks of Size bits from.
type addressPool struct {
	Base string
	Size int
}

// dockersPools are docker's own, where none are configured.
var dockersPools = []addressPool{
	{"172.17.0.0/16", 16}, {"172.18.0.0/16", 16}, {"172.19.0.0/16", 16}, {"172.20.0.0/14", 16},
	{"172.24.0.0/14", 16}, {"172.28.0.0/14", 16}, {"192.168.0.0/16", 20},
}

// withoutAddresses are the networks host and none.
const withoutAddresses = 2

// poolsFree counts the networks that can still be made: each one there takes
// one from the pool that it overlaps with. Docker's client does not say which
// that is; then each of the networks takes one. Docker also leaves out what
// the host has routes to, so they may be fewer.
func poolsFree(pools []addressPool, subnets []string, networks int64) int64 {
	if pools == nil {
		pools = dockersPools
	}
	var used []netip.Prefix
	for _, s := range subnets {
		if p, err := netip.ParsePrefix(s); err == nil && p.Addr().Is4() {
			used = append(used, p.Masked())
		}
	}
	var free int64
	for _, pool := range pools {
		base, err := netip.ParsePrefix(pool.Base)
		if err != nil || !base.Addr().Is4() || pool.Size < base.Bits() || pool.Size > 32 {
			continue
		}
		free += int64(1) << (pool.Size - base.Bits())
		taken := map[netip.Prefix]bool{}
		for _, u := range used {
			if !u.Overlaps(base) {
				continue
			}
			if u.Bits() <= base.Bits() { // all of it
				taken = nil
				break
			}
			taken[netip.PrefixFrom(u.Addr(), min(pool.Size, u.Bits())).Masked()] = true
		}
		if taken == nil {
			free -= int64(1) << (pool.Size - base.Bits())
		} else {
			for p := range taken {
				free -= int64(1) << max(0, pool.Size-p.Bits())
			}
		}
	}
	if subnets == nil {
		free -= max(0, networks-withoutAddresses)
	}
	return max(0, free)
}
