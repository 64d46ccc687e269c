package profile_test

import (
	"errors"
	"fmt"

	"github.com/tegwick/sand-boxer/canary"
	"github.com/tegwick/sand-boxer/profile"
)

func ExampleResolve() {
	spec, err := profile.Resolve("canary", canary.Self())
	fmt.Println(spec.Profile, err)

	_, err = profile.Resolve("canery", canary.Self())
	fmt.Println(err)
	var name *profile.NameError
	if errors.As(err, &name) {
		fmt.Println("hint:", name.Hint)
	}
	// Output:
	// profile.sandbox-canary <nil>
	// profile "canery": there is none of that name; did you mean "canary"?
	// hint: the built-in profiles are: profile.sandbox-canary (canary)
}
