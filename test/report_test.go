package main

import (
	"slices"
	"strings"
	"testing"
)

// What go test -json prints, shortened, of four packages.
const testJSON = `{"Action":"run","Package":"p/good","Test":"TestA"}
{"Action":"output","Package":"p/good","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p/good","Test":"TestA","Output":"    a_test.go:1: chatter\n"}
{"Action":"output","Package":"p/bad","Test":"TestB","Output":"=== RUN   TestB\n"}
{"Action":"output","Package":"p/bad","Test":"TestB","Output":"    b_test.go:1: got 1, want 2\n"}
{"Action":"output","Package":"p/bad","Test":"TestB","Output":"--- FAIL: TestB (0.00s)\n"}
{"Action":"fail","Package":"p/bad","Test":"TestB"}
{"Action":"output","Package":"p/bad","Test":"TestC","Output":"    c_test.go:1: fine\n"}
{"Action":"pass","Package":"p/bad","Test":"TestC","Elapsed":1.25}
{"Action":"output","Package":"p/bad","Output":"FAIL\n"}
{"Action":"output","Package":"p/bad","Output":"FAIL\tp/bad\t0.1s\n"}
{"Action":"fail","Package":"p/bad"}
{"Action":"pass","Package":"p/good","Test":"TestA/part","Elapsed":2}
{"Action":"pass","Package":"p/good","Test":"TestA","Elapsed":2.04}
{"Action":"output","Package":"p/good","Test":"TestD","Output":"    d_test.go:1: fish is missing\n"}
{"Action":"output","Package":"p/good","Test":"TestD","Output":"--- SKIP: TestD (0.00s)\n"}
{"Action":"skip","Package":"p/good","Test":"TestD"}
{"Action":"output","Package":"p/good","Test":"FuzzE/seed#0","Output":"    --- SKIP: FuzzE/seed#0 (0.00s)\n"}
{"Action":"skip","Package":"p/good","Test":"FuzzE/seed#0"}
{"Action":"output","Package":"p/good","Output":"PASS\n"}
{"Action":"output","Package":"p/good","Output":"ok  \tp/good\t0.2s\n"}
{"Action":"pass","Package":"p/good"}
{"Action":"output","Package":"p/none","Output":"?   \tp/none\t[no test files]\n"}
{"Action":"skip","Package":"p/none"}
{"ImportPath":"p/broken","Action":"build-output","Output":"# p/broken\n"}
go: a word of the go command
{"Action":"output","Package":"p/late","Test":"TestF","Output":"panic: too late\n"}
`

func TestReport(t *testing.T) {
	var out strings.Builder
	r := &report{out: &out}
	if err := r.read(strings.NewReader(testJSON)); err != nil {
		t.Fatal(err)
	}
	const want = `    b_test.go:1: got 1, want 2
--- FAIL: TestB (0.00s)
FAIL
FAIL	p/bad	0.1s
    d_test.go:1: fish is missing
--- SKIP: TestD (0.00s)
ok  	p/good	0.2s
?   	p/none	[no test files]
# p/broken
go: a word of the go command
panic: too late
`
	if out.String() != want {
		t.Errorf("got %s, want %s", out.String(), want)
	}
	if got, want := r.slowest(2), "    2.0 s  p/good TestA\n    1.2 s  p/bad TestC\n"; got != want {
		t.Errorf("got slowest tests %q, want %q", got, want)
	}
	if want := []string{"p/good TestD"}; !slices.Equal(r.skipped, want) {
		t.Errorf("got skipped tests %q, want %q", r.skipped, want)
	}
}
