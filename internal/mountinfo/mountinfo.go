// Package mountinfo knows how /proc/self/mountinfo writes paths.
package mountinfo

import (
	"strconv"
	"strings"
)

// Unescape returns the path that a field stands for. The kernel writes a
// space, a tab, a line end and a backslash as three octal digits:
//
//	/mnt/my\040disk
func Unescape(field string) string {
	if !strings.Contains(field, `\`) {
		return field
	}
	var b strings.Builder
	for i := 0; i < len(field); i++ {
		if field[i] == '\\' && i+3 < len(field) {
			if n, err := strconv.ParseUint(field[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(field[i])
	}
	return b.String()
}
