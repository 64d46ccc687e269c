package sandboxer

import (
	"cmp"
	"time"
)

// Codes of StaleSandbox.BlockedBy. The set is open.
const (
	BlockTooYoung      = "too_young"
	BlockAgeUnknown    = "age_unknown"
	BlockClock         = "clock_in_doubt"
	BlockReportOnly    = "report_only"       // its class is never removed
	BlockUnclaimed     = "include_unclaimed" // goes only where that was asked for
	BlockInvalidID     = "invalid_id"        // its name is no id or name; never removed
	BlockNotOwn        = "not_own"           // another user's
	BlockNotDir        = "not_a_directory"
	BlockNoRegistry    = "no_registry_record" // nothing proves the labels' claim
	BlockLockUnknown   = "lock_unknown"       // nobody can tell whether an operation runs
	BlockRootUntrusted = "root_untrusted"
	BlockIncomplete    = "records_incomplete" // not all records were read: it may have one
	BlockExcepted      = "excepted"           // left out by whoever made the plan
	BlockDirChanged    = "dir_changed"        // not the directory that was made for it
	BlockInUse         = "in_use"             // a compose project was started from it
	BlockHeld          = "held"               // somebody holds it: see Hold
	BlockMount         = "mount_present"      // something is mounted in it
)

// blockWords are the codes for a person.
var blockWords = map[string]string{
	BlockTooYoung:      "it is too young",
	BlockAgeUnknown:    "its age is not known",
	BlockClock:         "the host's clock cannot be trusted",
	BlockReportOnly:    "nothing of this class is ever removed",
	BlockUnclaimed:     "unclaimed directories go only with --include-unclaimed",
	BlockInvalidID:     "its name is none that sandboxer gives",
	BlockNotOwn:        "it belongs to another user",
	BlockNotDir:        "it is no directory",
	BlockNoRegistry:    "no record proves that it was a sandbox",
	BlockLockUnknown:   "nobody can tell whether an operation runs",
	BlockRootUntrusted: "the root cannot be trusted",
	BlockIncomplete:    "not all records could be read",
	BlockExcepted:      "it was left out",
	BlockDirChanged:    "its directory is not the one that was made for it",
	BlockInUse:         "a compose project was started from it, or that cannot be told",
	BlockHeld:          "somebody holds it",
	BlockMount:         "something is mounted in it",
}

// BlockReasons returns codes of StaleSandbox.BlockedBy in words; a code that it
// does not know stands for itself.
func BlockReasons(codes []string) []string {
	words := make([]string, len(codes))
	for i, code := range codes {
		words[i] = cmp.Or(blockWords[code], code)
	}
	return words
}

func (f *staleFinder) floor(class StaleClass) time.Duration {
	floor := f.policy.OlderThan
	if f.policy.AllowYoung {
		return floor
	}
	switch class {
	case OrphanDir, OrphanProject, Unclaimed:
		return max(floor, MinOrphanAge)
	}
	return max(floor, MinAge)
}

func (f *staleFinder) clockInDoubt() bool {
	offset := f.obs.Snapshot.ClockOffsetMS
	return offset != nil && time.Duration(max(*offset, -*offset))*time.Millisecond > MaxClockOffset
}
