package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"gitlab.com/lorehook/lorehook/internal/advice"
	"gitlab.com/lorehook/lorehook/internal/apiclient"
	"gitlab.com/lorehook/lorehook/internal/baseurl"
	"gitlab.com/lorehook/lorehook/internal/surgical"
)

// The keys of a profile.
const (
	keyAPIURL        = "api-url"
	keyAWSProfile    = "aws-profile"
	keyAWSRegion     = "aws-region"
	keyGitLabBaseURL = "gitlab-base-url"
)

// configKey is one key of a profile. None is for a secret.
type configKey struct {
	name, about string
	// env are the variables that take precedence, in order.
	env []string
	// instead are variables in place of which the key is not used either.
	instead []string
	// valid returns what a value must be, or "" if it is that.
	valid func(value string) string
}

func configKeys() []configKey {
	return []configKey{
		{keyAPIURL, "the API: the output ApiUrl of the stack", []string{"LOREHOOK_API_URL"}, nil, validAPIURL},
		{keyAWSProfile, "profile of the AWS CLI, for credentials", []string{"AWS_PROFILE", "AWS_DEFAULT_PROFILE"}, []string{"AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"}, matches(`^[^\s\x00-\x1f]+$`, "the name of a profile of the AWS CLI")},
		{keyAWSRegion, "AWS region if the API's URL has none", []string{"AWS_REGION", "AWS_DEFAULT_REGION"}, nil, matches(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`, "an AWS region such as eu-central-1")},
		{keyGitLabBaseURL, "GitLab, for lore hooks and for paths", []string{"GITLAB_BASE_URL"}, nil, validGitLabURL},
	}
}

func validAPIURL(value string) string {
	if _, err := apiclient.ParseBase(value); err != nil {
		return baseurl.SecureRule + ", without user, query and fragment"
	}
	return ""
}

func validGitLabURL(value string) string {
	if u, err := baseurl.Parse(value); err != nil {
		return baseurl.Rule
	} else if !baseurl.Secure(u) {
		return baseurl.SecureRule
	}
	return ""
}

func matches(pattern, rule string) func(string) string {
	accepted := regexp.MustCompile(pattern)
	return func(value string) string {
		if accepted.MatchString(value) {
			return ""
		}
		return rule
	}
}

// keyNames are the names of all keys.
func keyNames() []string {
	var names []string
	for _, key := range configKeys() {
		names = append(names, key.name)
	}
	return names
}

// keyNamed returns a key, or an error that lists them.
func keyNamed(name string) (configKey, error) {
	for _, key := range configKeys() {
		if key.name == name {
			return key, nil
		}
	}
	return configKey{}, invalid("%q is not a key of a profile: the keys are %s", name, strings.Join(keyNames(), ", "))
}

// check rejects a value. It does not quote it: it may be a secret, set by mistake.
func (k configKey) check(value string) error {
	if rule := k.valid(value); rule != "" {
		return invalid("%s must be %s", k.name, rule)
	}
	return nil
}

// profile is the values of a profile by their keys.
type profile map[string]string

// configFile is the file with the user's profiles.
type configFile struct {
	// Use is the profile that lore config use chose.
	Use      string             `json:"use,omitempty"`
	Profiles map[string]profile `json:"profiles"`
}

// defaultProfile is the profile in use if none was chosen.
const defaultProfile = "default"

// used is the profile that applies without --profile.
func (f configFile) used() string {
	if f.Use == "" {
		return defaultProfile
	}
	return f.Use
}

// names are the names of all profiles, in order.
func (f configFile) names() []string {
	names := []string{}
	for name := range f.Profiles {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// named returns a profile, or an error that lists those that exist.
func (f configFile) named(name string) (profile, error) {
	if p, ok := f.Profiles[name]; ok {
		return p, nil
	}
	if len(f.Profiles) == 0 {
		return nil, invalid("there is no profile %q, nor any other: lore config set %s URL --profile %s makes it", name, keyAPIURL, name)
	}
	return nil, invalid("there is no profile %q: the profiles are %s", name, strings.Join(f.names(), ", "))
}

// checkProfileName rejects what a shell or a table would not show as one word.
func checkProfileName(name string) error {
	if !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`).MatchString(name) {
		return invalid("a profile's name has up to 64 letters, digits, dots, dashes and underscores, got %q", name)
	}
	return nil
}

// configPath is where the profiles are.
func (s *session) configPath() (string, error) {
	if s.ConfigDir == "" {
		return "", invalid("there is no directory for profiles: neither HOME nor XDG_CONFIG_HOME is set")
	}
	return filepath.Join(s.ConfigDir, "lorehook", "config.json"), nil
}

// readConfig returns the user's profiles, which are none without a file.
func (s *session) readConfig() (configFile, error) {
	var f configFile
	if s.ConfigDir == "" {
		return f, nil
	}
	path, err := s.configPath()
	if err != nil {
		return f, err
	}
	correct := advice.Step{Text: "Correct the file, or delete it and set the profiles again (lore config set)."}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, remedy(surgical.CodeInvalidRequest, correct, "the profiles could not be read: %v", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&f); err != nil {
		return f, remedy(surgical.CodeInvalidRequest, correct, "%s is not a file of profiles: %s", path, whyNotJSON(err))
	}
	for _, name := range f.names() {
		if err := f.Profiles[name].check(name); err != nil {
			return f, remedy(surgical.CodeInvalidRequest, correct, "%s: profile %s: %s", path, name, surgical.AsError(err).Message)
		}
	}
	return f, nil
}

// whyNotJSON says why a file could not be decoded.
func whyNotJSON(err error) string {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "it is empty, or its end is missing"
	}
	return err.Error()
}

// check rejects a profile that lore config set would not have written.
func (p profile) check(name string) error {
	if err := checkProfileName(name); err != nil {
		return err
	}
	for name, value := range p {
		key, err := keyNamed(name)
		if err == nil {
			err = key.check(value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// writeConfig replaces the file in one step, readable by its owner only.
func (s *session) writeConfig(f configFile) error {
	path, err := s.configPath()
	if err != nil {
		return err
	}
	raw, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the profiles: %w", err)
	}
	if err := replaceFile(path, append(raw, '\n')); err != nil {
		return invalid("the profiles could not be written: %v", err)
	}
	return nil
}

func replaceFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".config-*") // with mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
