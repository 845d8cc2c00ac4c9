package main

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"

	"gitlab.com/lorehook/lorehook/internal/baseurl"
	"gitlab.com/lorehook/lorehook/internal/cabundle"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/search/opensearch"
)

// appContext returns all context values of the app.
func appContext(app awscdk.App) map[string]any {
	values, _ := app.Node().GetAllContext(nil).(map[string]any)
	return values
}

// reader reads context values and collects what is wrong with them, and which
// it read.
type reader struct {
	values    map[string]any
	effective effective
	errs      []error
}

// text accepts the CLI's strings and the numbers and booleans of cdk.json alike.
func (r *reader) text(name, unset string) string {
	var text string
	switch v := r.values[name].(type) {
	case nil:
	case string:
		text = v
	case bool:
		text = strconv.FormatBool(v)
	case float64:
		text = strconv.FormatFloat(v, 'f', -1, 64) // a project id is not 7.148e+07
	default:
		r.reject(name, "text, a number or true or false", fmt.Sprint(v))
	}
	if text == "" {
		r.effective.Default[name] = unset
		return unset
	}
	r.effective.Given[name] = text
	return text
}

// known are the names that were read, in order.
func (r *reader) known() []string {
	return slices.Sorted(maps.Keys(merged(r.effective.Given, r.effective.Default)))
}

// refuseUnknown rejects every context value that is neither a setting nor the
// CDK's own. A misspelt setting would silently deploy the default.
func (r *reader) refuseUnknown() {
	known := r.known()
	for _, name := range slices.Sorted(maps.Keys(r.values)) {
		if slices.Contains(known, name) || ofCDK(name) {
			continue
		}
		hint := "the settings are " + strings.Join(known, ", ")
		if near := nearest(name, known); near != "" {
			hint = fmt.Sprintf("did you mean %s?", near)
		}
		r.errs = append(r.errs, fmt.Errorf("context value %s is not a setting: %s", name, hint))
	}
}

// ofCDK reports whether the CDK itself gives or stores a context value of this
// name: feature flags and versions (@aws-cdk/…, aws:cdk:…), cached lookups
// (availability-zones:account=…), and two switches of its CLI.
func ofCDK(name string) bool {
	return strings.ContainsAny(name, "@:") || name == "cli-telemetry" || name == "acknowledged-issue-numbers"
}

// merged returns a map with the entries of both.
func merged(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func (r *reader) reject(name, want, got string) {
	r.errs = append(r.errs, fmt.Errorf("context value %s must be %s, got %q", name, want, got))
}

// oneOf takes the first value if none is given.
func (r *reader) oneOf(name string, values ...string) string {
	v := r.text(name, values[0])
	if !slices.Contains(values, v) {
		r.reject(name, "one of "+strings.Join(values, ", "), v)
	}
	return v
}

func (r *reader) matching(name, unset, pattern string) string {
	v := r.text(name, unset)
	if !regexp.MustCompile(pattern).MatchString(v) {
		r.reject(name, "like "+pattern, v)
	}
	return v
}

func (r *reader) boolean(name string) bool { return r.oneOf(name, "false", "true") == "true" }

func (r *reader) number(name string, unset int, valid func(int) bool, want string) int {
	text := r.text(name, strconv.Itoa(unset))
	n, err := strconv.Atoi(text)
	if err != nil || !valid(n) {
		r.reject(name, want, text)
	}
	return n
}

func (r *reader) httpURL(name, unset string) string {
	v := r.text(name, unset)
	if v == "" {
		return v
	}
	u, err := baseurl.Parse(v)
	if err != nil {
		if strings.ContainsAny(v, "@?") { // it may hold a password
			r.errs = append(r.errs, fmt.Errorf("context value %s must be %s", name, baseurl.Rule))
		} else {
			r.reject(name, baseurl.Rule, v)
		}
		return v
	}
	if !baseurl.Secure(u) {
		r.reject(name, baseurl.SecureRule, v)
	}
	return u.String()
}

// openSearch accepts what the engine for OpenSearch does. The value is not repeated: it
// may have a password.
func (r *reader) openSearch(name string) opensearch.Endpoint {
	v := r.text(name, "")
	if v == "" {
		return opensearch.Endpoint{}
	}
	endpoint, err := opensearch.ParseEndpoint(v)
	if err != nil {
		r.errs = append(r.errs, fmt.Errorf("context value %s: %w", name, err))
	}
	return endpoint
}

// ids accepts AWS's ids of one kind, comma-separated.
func (r *reader) ids(name, kind string) []string {
	text := r.text(name, "")
	if text == "" {
		return nil
	}
	valid := regexp.MustCompile(`^` + kind + `-[0-9a-f]{8,17}$`)
	ids := strings.Split(text, ",")
	for i, id := range ids {
		ids[i] = strings.TrimSpace(id)
		if !valid.MatchString(ids[i]) || slices.Contains(ids[:i], ids[i]) {
			r.reject(name, "different ids like "+kind+"-0123456789abcdef0, comma-separated", text)
			break
		}
	}
	return ids
}

// certificates accepts the path of a file whose certificates are valid now.
func (r *reader) certificates(name string) string {
	file := r.text(name, "")
	if file == "" {
		return ""
	}
	text, err := os.ReadFile(file)
	if err == nil {
		_, err = cabundle.Parse(text, time.Now())
	}
	if err != nil {
		r.errs = append(r.errs, fmt.Errorf("context value %s must be a PEM file with certificates, got %q: %w", name, file, err))
	}
	return file
}

// projects accepts exactly what the functions will accept. It has no default: all
// projects are copied only if that is what was asked for.
func (r *reader) projects(name string) string {
	v := r.text(name, "")
	if v == "" {
		r.errs = append(r.errs, fmt.Errorf("context value %s is required: %s", name, projectsRule))
		return v
	}
	var list config.AllowList
	if err := list.UnmarshalText([]byte(v)); err != nil {
		r.reject(name, projectsRule, v)
	}
	return v
}

const projectsRule = "project ids, comma-separated, or * for every project that the token can read"
