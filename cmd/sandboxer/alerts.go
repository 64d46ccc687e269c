package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v4"

	"github.com/tegwick/sand-boxer"
)

// alertFlags are the rules of inspect host. No variable stands for them.
type alertFlags struct {
	rules  ruleFlag
	file   string
	policy *sandboxer.AlertPolicy // nil: nobody wants to be told of anything
}

func (f *alertFlags) register(flags *pflag.FlagSet) {
	flags.Var(&f.rules, "alert", "`RULE` such as disk_root_avail_gb<10; may be repeated")
	flags.StringVar(&f.file, "alert-policy", "", "`FILE` with rules, in YAML or JSON")
}

// A ruleFlag is --alert. A rule holds commas, so it is no list of its own.
type ruleFlag []sandboxer.AlertRule

func (f *ruleFlag) Set(s string) error {
	rule, err := sandboxer.ParseAlertRule(s)
	if err == nil {
		*f = append(*f, rule)
	}
	return err
}

func (f *ruleFlag) Type() string   { return "rule" }
func (f *ruleFlag) String() string { return "" }

// load makes a policy of the rules in the file and those of the command line.
func (f *alertFlags) load() error {
	if f.file == "" && len(f.rules) == 0 {
		return nil
	}
	var policy sandboxer.AlertPolicy
	if f.file != "" {
		data, err := os.ReadFile(f.file)
		if err != nil {
			return misused("--alert-policy: %v", err)
		}
		if policy, err = readPolicy(data); err != nil {
			return misused("--alert-policy %s: %v", f.file, err)
		}
	}
	policy.Rules = append(policy.Rules, f.rules...)
	if err := policy.Check(); err != nil {
		return misused("%v", err)
	}
	f.policy = &policy
	return nil
}

// readPolicy reads YAML, of which JSON is a part. A word that no rule has is an
// error: a slip in it would be an alert that never comes.
func readPolicy(data []byte) (sandboxer.AlertPolicy, error) {
	var policy sandboxer.AlertPolicy
	var any map[string]any
	if err := yaml.Unmarshal(data, &any); err != nil {
		return policy, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	text, err := json.Marshal(any)
	if err != nil {
		return policy, err
	}
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&policy); err != nil {
		return policy, err
	}
	if len(policy.Rules) == 0 {
		return policy, errors.New("it has no rules")
	}
	return policy, nil
}

// alerts holds a look at a host against the policy, and remembers what that
// takes. It says on standard error what has changed.
func (a *app) alerts(host sandboxer.Host, obs sandboxer.Observation, f *alertFlags) ([]sandboxer.Alert, error) {
	if f.policy == nil {
		return nil, nil
	}
	path := alertStateFile(a.getenv, host.Name())
	state, err := readState[sandboxer.AlertState](path)
	if err != nil {
		a.err.printf("sandboxer: warning: what was known of alerts on %s cannot be read, and is begun anew: %v", host.Name(), err)
	}
	alerts, next := f.policy.Evaluate(obs, state)
	for _, alert := range alerts {
		word := "cleared"
		if alert.Status == sandboxer.AlertRaised {
			word = "raised"
		}
		if alert.Changed {
			a.err.printf("sandboxer: alert %s %s on %s: %s", alert.Name, word, host.Name(), alert.Message)
		}
	}
	if err := writeState(path, next); err != nil {
		return alerts, fmt.Errorf("remember the alerts: %w", err)
	}
	return alerts, nil
}

// alertStateFile is where the state of a host's alerts is kept.
func alertStateFile(getenv func(string) string, host string) string {
	return filepath.Join(stateDir(getenv, "alerts"), fileName(host)+".json")
}

// raisedAlerts are the names of those that are raised.
func raisedAlerts(alerts []sandboxer.Alert) []string {
	var names []string
	for _, alert := range alerts {
		if alert.Status == sandboxer.AlertRaised {
			names = append(names, alert.Name)
		}
	}
	return names
}

func alertsText(p *page, alerts []sandboxer.Alert) {
	if alerts == nil {
		return
	}
	p.title("alerts", fmt.Sprintf("%d of %d raised", len(raisedAlerts(alerts)), len(alerts)))
	var rows [][]string
	for _, alert := range alerts {
		rows = append(rows, []string{alert.Name, string(alert.Status), instant(alert.Since), alert.Message})
	}
	p.table("  ", []string{"ALERT", "STATUS", "SINCE", "MESSAGE"}, rows)
}
