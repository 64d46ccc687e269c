package onhost_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tegwick/sand-boxer/internal/onhost"
)

// What a run that was cut off had begun on something without a record gets its
// line from the next one, whatever that is about, if it was done; and no second.
func TestCutOffIsAuditedOnce(t *testing.T) {
	const head = `{"act":"reap","path":"a\\b","op_id":"0f"`
	const line = head + `,"at":"x","result":"removed"}` + "\n"
	for _, tt := range []struct {
		name   string
		there  bool   // the directory is where it was
		log    string // as it was left
		pledge string // in the lock, of a path, a device and an inode
		want   int
	}{
		{"done", false, "", "removed %s %d %d " + head + "\n", 1},
		{"done, beside a line like it", false, strings.Replace(line, "0f", "0e", 1), "removed %s %d %d " + head + "\n", 1},
		{"done and said", false, line, "removed %s %d %d " + head + "\n", 1},
		{"not done", true, "", "removed %s %d %d " + head + "\n", 0},
		{"cut short itself", false, "", "removed %s %d %d " + head, 0},
		{"nothing", false, "", "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachShell(t, func(t *testing.T, m *machine) {
				item := m.stray("fake99")
				if !tt.there { // and another one is there now
					if err := errors.Join(os.Rename(m.dir("fake99"), m.root+"/moved"), os.Mkdir(m.dir("fake99"), 0o700)); err != nil {
						t.Fatal(err)
					}
				}
				state := filepath.Join(m.home, ".local/state/sandboxer")
				pledge := tt.pledge
				if pledge != "" {
					pledge = fmt.Sprintf(pledge, m.dir("fake99"), item.Device, item.Inode)
				}
				err := errors.Join(os.MkdirAll(state+"/locks", 0o700), os.WriteFile(state+"/locks/fake99", []byte(pledge), 0o600),
					os.WriteFile(state+"/audit.jsonl", []byte(tt.log), 0o600))
				if err != nil {
					t.Fatal(err)
				}
				for range 2 {
					if got, _ := m.run(m.op.Reap([]onhost.Item{m.stray("other-99")})); got.Item("other-99").Result != onhost.Destroyed {
						t.Fatalf("got %+v, want it removed", got)
					}
				}
				got := strings.Count(m.auditLog(), head+",") // with a result
				if got != tt.want || got > 0 && !strings.Contains(m.auditLog(), `,"result":"removed"}`) {
					t.Errorf("got %d lines of it, want %d:\n%s", got, tt.want, m.auditLog())
				}
				if data, err := os.ReadFile(state + "/locks/fake99"); len(data) > 0 {
					t.Errorf("got %q, %v in its lock, want it settled", data, err)
				}
			})
		})
	}
}

// What is deleted, kept or brought back without a record has one line, and
// nothing is left to be said.
func TestNothingIsLeftPledged(t *testing.T) {
	eachShell(t, func(t *testing.T, m *machine) {
		item := m.stray("fake99")
		item.Keep = 1 << 31
		m.run(m.op.Reap([]onhost.Item{item}))
		kept, err := filepath.Glob(m.root + "/.trash/fake99.*")
		if err != nil || len(kept) != 1 {
			t.Fatalf("got %q, %v, want it kept", kept, err)
		}
		entry := strings.TrimPrefix(kept[0], m.root+"/")
		m.run(m.op.Restore(onhost.Return{ID: "fake99", Entry: entry, Device: item.Device, Inode: item.Inode, Audit: []byte(`{"act":"restore"`)}))
		m.run(m.op.Reap([]onhost.Item{item}))
		m.run(m.op.Reap([]onhost.Item{{ID: entry, Trashed: true, Device: item.Device, Inode: item.Inode, Audit: []byte(`{"act":"purge"`)}}))
		var got []string
		for line := range strings.Lines(m.auditLog()) {
			_, result, _ := strings.Cut(line, `"result":`)
			got = append(got, strings.TrimSuffix(result, "}\n"))
		}
		if want := `"removed" "restored" "removed" "purged"`; strings.Join(got, " ") != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if locks, _ := filepath.Glob(m.home + "/.local/state/sandboxer/locks/*"); len(locks) > 0 {
			t.Errorf("got locks %q left, want none", locks)
		}
	})
}
