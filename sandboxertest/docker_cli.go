package sandboxertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/template"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

// A question is a docker command line, taken apart.
type question struct {
	words   []string            // the command, one or two words
	options map[string][]string // without dashes
	args    []string
}

// valued are the options that take a value. What is in neither list is not
// known to the fake.
var (
	valued = []string{"format", "filter", "f", "type", "t", "time"}
	flags  = []string{"a", "all", "q", "quiet", "no-trunc", "f", "force", "v", "volumes", "aq", "fv"}
	groups = []string{"network", "volume", "image", "container"}
)

func parseQuestion(args []string) (question, error) {
	q := question{options: map[string][]string{}}
	if len(args) > 0 {
		q.words, args = args[:1], args[1:]
	}
	if len(args) > 0 && len(q.words) > 0 && slices.Contains(groups, q.words[0]) {
		q.words, args = append(slices.Clone(q.words), args[0]), args[1:]
	}
	removes := len(q.words) > 0 && q.words[len(q.words)-1] == "rm" // -f is a flag there
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if !strings.HasPrefix(arg, "-") {
			q.args = append(q.args, arg)
			continue
		}
		name, value, given := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch {
		case given && slices.Contains(valued, name):
		case slices.Contains(valued, name) && !(removes && name == "f") && len(args) > 0:
			value, args = args[0], args[1:]
		case !slices.Contains(flags, name):
			return q, fmt.Errorf("the fake docker knows no option %q of %q", arg, strings.Join(q.words, " "))
		}
		q.options[name] = append(q.options[name], value)
	}
	return q, nil
}

// has reports whether one of the options was given.
func (q question) has(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return q.options[n] != nil })
}

// run carries out one command of docker's client. One that the fake does not
// know fails, and is named.
func (d *docker) run(args []string, out io.Writer) error {
	q, err := parseQuestion(args)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch strings.Join(q.words, " ") {
	case "version":
		return d.print(out, q, []any{map[string]any{"Server": map[string]any{"Version": "20.10.24", "ApiVersion": "1.41"}}})
	case "info":
		return d.print(out, q, []any{map[string]any{
			"Driver": "overlay2", "CgroupDriver": "systemd", "DockerRootDir": "/var/lib/docker", "SecurityOptions": []string{},
		}})
	case "ps", "container ls":
		return d.list(out, q, sandboxer.KindContainer)
	case "network ls":
		return d.list(out, q, sandboxer.KindNetwork)
	case "volume ls":
		return d.list(out, q, sandboxer.KindVolume)
	case "images", "image ls":
		return d.list(out, q, sandboxer.KindImage)
	case "inspect", "container inspect":
		return d.inspect(out, q, sandboxer.KindContainer)
	case "image inspect":
		return d.inspect(out, q, sandboxer.KindImage)
	case "stop", "container stop", "kill":
		return d.end(q)
	case "rm", "container rm":
		return d.remove(out, q, sandboxer.KindContainer)
	case "network rm":
		return d.remove(out, q, sandboxer.KindNetwork)
	case "volume rm":
		return d.remove(out, q, sandboxer.KindVolume)
	case "rmi", "image rm":
		return d.remove(out, q, sandboxer.KindImage)
	}
	return fmt.Errorf("the fake docker knows no command %q", strings.Join(args, " "))
}

// A row is what a list shows of a thing, by the names of docker's templates.
type row struct {
	ID, Name, Names, State, Repository, Tag string

	labels map[string]string
}

// Label returns the value of a label, empty where there is none.
func (r row) Label(name string) string { return r.labels[name] }

func (d *docker) list(out io.Writer, q question, kind sandboxer.ResourceKind) error {
	all := kind != sandboxer.KindContainer || q.has("a", "all", "aq")
	var rows []any
	for _, t := range d.things {
		if t.kind != kind || !all && t.state != "running" {
			continue
		}
		match, err := d.matches(t, append(q.options["filter"], q.options["f"]...))
		if err != nil {
			return err
		}
		repository, tag, _ := strings.Cut(t.name, ":")
		if len(q.args) > 0 && q.args[0] != t.name && q.args[0] != repository {
			match = false
		}
		if match {
			rows = append(rows, row{t.id, t.name, t.name, t.state, repository, tag, t.labels})
		}
	}
	if q.has("q", "quiet", "aq") {
		q.options["format"] = []string{"{{.ID}}"}
		if kind == sandboxer.KindVolume {
			q.options["format"] = []string{"{{.Name}}"}
		}
	}
	return d.print(out, q, rows)
}

// matches applies filters: label=KEY, label=KEY=VALUE, and for containers
// network= and volume=, by which the fake finds those of the same sandbox.
func (d *docker) matches(t dockerThing, filters []string) (bool, error) {
	for _, f := range filters {
		key, want, _ := strings.Cut(f, "=")
		switch key {
		case "label":
			name, value, exact := strings.Cut(want, "=")
			if have, ok := t.labels[name]; !ok || exact && have != value {
				return false, nil
			}
		case "network", "volume":
			shared := slices.ContainsFunc(d.things, func(o dockerThing) bool {
				return (o.id == want || o.name == want) && string(o.kind) == key &&
					o.labels[sandboxer.LabelID] == t.labels[sandboxer.LabelID]
			})
			if !shared {
				return false, nil
			}
		default:
			return false, fmt.Errorf("the fake docker knows no filter %q", f)
		}
	}
	return true, nil
}

// print writes each value by the template asked for.
func (d *docker) print(out io.Writer, q question, values []any) error {
	format := "{{json .}}"
	if f := q.options["format"]; f != nil {
		format = f[0]
	}
	if format == "json" {
		format = "{{json .}}"
	}
	tmpl, err := template.New("format").Funcs(template.FuncMap{"json": toJSON}).Parse(format)
	if err != nil {
		return err
	}
	for _, v := range values {
		var line bytes.Buffer
		if err := tmpl.Execute(&line, v); err != nil {
			return fmt.Errorf("the fake docker cannot tell all of %q: %w", format, err)
		}
		fmt.Fprintln(out, line.String())
	}
	return nil
}

func toJSON(v any) (string, error) {
	data, err := json.Marshal(v)
	return string(data), err
}

func (d *docker) inspect(out io.Writer, q question, kind sandboxer.ResourceKind) error {
	var values []any
	for _, ref := range q.args {
		i := d.find(kind, ref)
		if i < 0 {
			return fmt.Errorf("no such object: %s", ref)
		}
		t := d.things[i]
		values = append(values, map[string]any{
			"Id": t.id, "Image": t.image, "Config": map[string]any{"Labels": t.labels},
			"State": map[string]any{
				"Status": t.state, "Running": t.state == "running", "StartedAt": t.started.Format(time.RFC3339Nano), "FinishedAt": t.ended.Format(time.RFC3339Nano),
			},
			"NetworkSettings": map[string]any{"Ports": map[string]any{}},
		})
	}
	return d.print(out, q, values)
}

// find returns the thing of that id or name, or -1.
func (d *docker) find(kind sandboxer.ResourceKind, ref string) int {
	return slices.IndexFunc(d.things, func(t dockerThing) bool {
		return t.kind == kind && (t.id == ref || t.name == ref || t.name == ref+":latest")
	})
}

func (d *docker) end(q question) error {
	for _, ref := range q.args {
		i := d.find(sandboxer.KindContainer, ref)
		if i < 0 {
			return fmt.Errorf("no such container: %s", ref)
		}
		d.things[i].state = "exited"
	}
	return nil
}

func (d *docker) remove(out io.Writer, q question, kind sandboxer.ResourceKind) error {
	for _, ref := range q.args {
		i := d.find(kind, ref)
		switch {
		case i < 0:
			return fmt.Errorf("no such %s: %s", kind, ref)
		case d.things[i].state == "running" && !q.has("f", "force", "fv"):
			return fmt.Errorf("cannot remove container %s: it is running", ref)
		}
		d.things = slices.Delete(d.things, i, i+1)
		fmt.Fprintln(out, ref)
	}
	return nil
}
