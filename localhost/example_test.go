package localhost_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/localhost"
)

func Example() {
	var host localhost.Host
	res, err := host.Run(context.Background(), sandboxer.Cmd{
		Args:  []string{"grep", "-c", "it's"},
		Stdin: strings.NewReader("it's one\nit's two\nthree\n"),
	})
	if err != nil {
		log.Fatal(err) // it never ran, or nobody knows
	}
	fmt.Printf("%s: exit %d, %s", host.Name(), res.ExitCode, res.Stdout)
	// Output: local: exit 0, 2
}
