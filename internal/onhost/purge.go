package onhost

import (
	_ "embed"
	"fmt"
	"io"
	"strings"

	"github.com/tegwick/sand-boxer/internal/shellquote"
)

//go:embed purge.sh
var purge string

// Purge goes on with the removal of an item that Failed with TrashLeft: its
// Purger, which reads helper, does what the user cannot. It does all that
// Destroy does, so that it ends as that would, and may be repeated like it.
func (o Op) Purge(item Item, helper io.Reader) Command {
	if !item.Trashed {
		// As Destroy has left it: a directory that is there now is another one.
		item.Metadata, item.Registry, item.Device, item.Inode = nil, item.Next, 0, 0
	}
	vars := fmt.Sprintf("purger=%s teardown=%s\n", shellquote.Quote(item.Purger), shellquote.Quote(item.Teardown))
	c := o.destroy("purge", vars+purge, []Item{item})
	script, _ := io.ReadAll(c.Stdin) // a string: it cannot fail
	// dd takes not a byte more than it is told to. A script that was cut off
	// has lost its last brace, and nothing of it runs.
	c.Args[2] = fmt.Sprintf(`eval "$(dd bs=1 count=%d 2>/dev/null)"`, len(script))
	c.Stdin = io.MultiReader(strings.NewReader(string(script)), helper)
	return c
}
