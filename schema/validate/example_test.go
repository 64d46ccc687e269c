package validate_test

import (
	"fmt"

	"github.com/tegwick/sand-boxer/schema/validate"
)

func ExampleDocument() {
	kind, err := validate.Document([]byte(`{
		"schema": "https://tegwick.github.io/sand-boxer/schema/v1/doctor-report.v1.schema.json",
		"schema_version": "0.1.0",
		"kind": "DoctorReport",
		"report_id": "r1",
		"run_id": "r1",
		"generated_at": "yesterday",
		"producer": {"name": "sandboxer", "version": "v0.1.0", "commit": ""},
		"host": {"name": "local", "hostname": null, "machine_id": null},
		"findings": [{"check": "clock", "verdict": "pass", "message": "in step", "mend": 3}]
	}`))
	fmt.Println(kind)
	fmt.Println(err)
	// Output:
	// DoctorReport
	// DoctorReport: /findings/0/mend: got number, want null or string
	// DoctorReport: /generated_at: 'yesterday' is not valid date-time: less than 20 characters long
}
