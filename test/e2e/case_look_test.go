package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	sandboxer "github.com/tegwick/sand-boxer"
)

// look is one look at the yard, judged by the policy.
func (y *yard) look(policy sandboxer.StalePolicy) (sandboxer.Observation, sandboxer.StaleReport, sandboxer.ReapPlan) {
	y.t.Helper()
	obs, err := y.box.Inspect(y.t.Context(), y.host)
	if err != nil {
		y.t.Fatal(err)
	}
	report := sandboxer.FindStale(obs, policy)
	return obs, report, sandboxer.PlanReap(obs, report)
}

// plan is what a reap that is as bold as can be would remove.
func (y *yard) plan() sandboxer.ReapPlan {
	y.t.Helper()
	_, _, plan := y.look(young)
	return plan
}

// reap carries out a plan, and holds the result against its schema.
func (y *yard) reap(host sandboxer.Host, plan sandboxer.ReapPlan) (sandboxer.ReapResult, error) {
	y.t.Helper()
	result, err := y.box.Reap(y.t.Context(), host, plan)
	if doc, docErr := y.box.NewReapResultDocument(host, sandboxer.Observation{}, result); docErr != nil {
		y.t.Error(docErr)
	} else {
		valid(y.t, doc)
	}
	return result, err
}

// reapAll removes all that may go, and fails if anything of it stays.
func (y *yard) reapAll() sandboxer.ReapResult {
	y.t.Helper()
	result, err := y.reap(y.host, y.plan())
	if err != nil {
		y.t.Errorf("reap: got %v, want nil\n%s", err, rows(result))
	}
	return result
}

// row returns "RESULT CODE" of one item, or "no row".
func row[T ~string](result sandboxer.ReapResult, ref T) string {
	for _, i := range result.Items {
		if i.Ref == string(ref) {
			if i.Code == nil {
				return string(i.Result)
			}
			return string(i.Result) + " " + *i.Code
		}
	}
	return "no row"
}

func rows(result sandboxer.ReapResult) string {
	text, _ := json.MarshalIndent(result.Items, "", "  ")
	return string(text)
}

// outcome fails unless an item's row is as wanted.
func (y *yard) outcome(result sandboxer.ReapResult, ref sandboxer.ID, want string) {
	y.t.Helper()
	if got := row(result, ref); got != want {
		y.t.Errorf("%s: got %q, want %q\n%s", ref, got, want, rows(result))
	}
}

// stale fails unless what is listed for ref is of that class and blocked by
// that code. An empty class is for what is not listed, an empty code for what
// may go.
func (y *yard) stale(report sandboxer.StaleReport, ref sandboxer.ID, class sandboxer.StaleClass, code string) {
	y.t.Helper()
	at := slices.IndexFunc(report.StaleCandidates, func(s sandboxer.StaleSandbox) bool { return s.Ref == string(ref) })
	if at < 0 {
		if class != "" {
			y.t.Errorf("%s: got it not listed, want %s", ref, class)
		}
		return
	}
	got := report.StaleCandidates[at]
	if got.Class != class || code == "" && len(got.BlockedBy) > 0 || code != "" && !slices.Contains(got.BlockedBy, code) {
		y.t.Errorf("%s: got %s blocked by %q, want %s and %q", ref, got.Class, got.BlockedBy, class, code)
	}
}

// refused fails unless err is a guard's refusal for that reason.
func (y *yard) refused(doing string, err error, code string) {
	y.t.Helper()
	var refused *sandboxer.RefusedError
	if !errors.As(err, &refused) || !refused.Has(code) {
		y.t.Errorf("%s: got %v, want it refused: %s", doing, err, code)
	}
}

// gone fails unless nothing is left of these sandboxes but their last records.
func (y *yard) gone(ids ...sandboxer.ID) {
	y.t.Helper()
	for _, id := range ids {
		left, err := filepath.Glob(y.root + "/.trash*/" + string(id) + ".*")
		if err != nil {
			y.t.Fatal(err)
		}
		for _, path := range append(left, y.dir(id), y.registry(id)) {
			if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
				y.t.Errorf("%s: got %s still there (%v), want it gone", id, path, err)
			}
		}
	}
}

// there fails unless the directories of these sandboxes, or others of the root,
// are there.
func (y *yard) there(ids ...sandboxer.ID) {
	y.t.Helper()
	for _, id := range ids {
		if _, err := os.Lstat(y.dir(id)); err != nil {
			y.t.Errorf("%s: got %v, want its directory left alone", id, err)
		}
	}
}

// removals counts the lines about a removal of ref in the audit log.
func (y *yard) removals(ref sandboxer.ID) int {
	y.t.Helper()
	log, err := os.ReadFile(y.home + "/.local/state/sandboxer/audit.jsonl")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		y.t.Fatal(err)
	}
	n := 0
	for line := range bytes.Lines(log) {
		said := map[string]string{}
		if err := json.Unmarshal(line, &said); err != nil {
			y.t.Errorf("audit log: got %s: %v", line, err)
		}
		if said["result"] == "removed" && (said["sandbox_id"] == string(ref) || said["path"] == y.dir(ref)) {
			n++
		}
	}
	return n
}

// keeps notes what is at and below these paths, to the byte, the owner, the
// mode and the time, and returns what fails if that has changed.
func (y *yard) keeps(paths ...string) func() {
	y.t.Helper()
	before := y.everything(paths...)
	return func() {
		y.t.Helper()
		if diff := cmp.Diff(before, y.everything(paths...)); diff != "" {
			y.t.Errorf("%q: want it untouched: -before +now\n%s", paths, diff)
		}
	}
}

// everything is all that can be seen of what is at and below these paths.
func (y *yard) everything(paths ...string) []string {
	y.t.Helper()
	argv := append([]string{"find"}, paths...)
	argv = append(argv, "-xdev", "-printf", "%p %y %m %U:%G %s %i %n %T@ %C@ %l\n", "-type", "f", "-exec", "sha256sum", "{}", ";")
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		y.t.Fatalf("%q: %v: %s", argv, err, out)
	}
	return slices.Sorted(strings.Lines(string(out)))
}
