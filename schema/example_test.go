package schema_test

import (
	"encoding/json"
	"fmt"

	"github.com/tegwick/sand-boxer/schema"
)

func Example() {
	for _, name := range schema.Names() {
		fmt.Println(name)
	}
	data, err := schema.Read("HostSnapshot")
	if err != nil {
		fmt.Println(err)
		return
	}
	var head struct {
		ID string `json:"$id"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(head.ID)
	// Output:
	// alert
	// audit-log
	// baseline
	// doctor-report
	// error
	// host-snapshot
	// host-snapshot-list
	// introspection-report
	// inventory
	// inventory-list
	// reap-plan
	// reap-result
	// sandbox-status
	// sandbox-status-list
	// stale
	// stale-list
	// https://tegwick.github.io/sand-boxer/schema/v1/host-snapshot.v1.schema.json
}
