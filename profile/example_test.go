package profile_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/tegwick/sand-boxer/canary"
	"github.com/tegwick/sand-boxer/profile"
)

func ExampleResolve() {
	spec, err := profile.Resolve(context.Background(), "canary", profile.Options{Canary: canary.Self()})
	fmt.Println(spec.Profile, err)

	_, err = profile.Resolve(context.Background(), "canery", profile.Options{})
	fmt.Println(err)
	var name *profile.NameError
	if errors.As(err, &name) {
		fmt.Println("hint:", name.Hint)
	}
	// Output:
	// profile.sandbox-canary <nil>
	// profile "canery": there is none of that name; did you mean "canary"?
	// hint: the profiles are: profile.sandbox-canary (canary)
}
