package cli

import (
	"cmp"
	"fmt"
	"strings"
)

const precedence = `A value is taken from the flag (--api-url), else from the environment, else from the profile that --profile or LOREHOOK_PROFILE names, else from the local stack in this directory or above, else from the profile in use. A local stack and a profile are never mixed. The file, which only you can read, is lorehook/config.json in your configuration directory (on Linux ~/.config). No secret belongs in it: tokens stay in the environment, and AWS credentials in AWS's own files.`

type configCommands struct {
	Set   configSetCommand   `cmd:"" help:"Set a key of a profile, creating it if necessary."`
	Get   configGetCommand   `cmd:"" help:"Print what a profile has for a key."`
	List  configListCommand  `cmd:"" help:"Print each value that applies here and where it comes from, and the profiles."`
	Unset configUnsetCommand `cmd:"" help:"Remove a key from a profile. A profile without keys is removed."`
	Use   configUseCommand   `cmd:"" help:"Choose the profile that applies where there is no local stack."`
}

// Help implements [kong.HelpProvider].
func (*configCommands) Help() string {
	var keys strings.Builder
	for _, key := range configKeys() {
		fmt.Fprintf(&keys, "    %-16s %s\n    %-16s %s\n\n", key.name, key.about, "", strings.Join(key.env, ", "))
	}
	return `Profiles save you the environment variables of a stack. The keys, and the variables that take precedence:

` + keys.String() + precedence + `

Example:

    lore config set api-url https://abc123.execute-api.eu-west-1.amazonaws.com`
}

// edited returns the file and the profile in it that a command reads or changes: the one
// that --profile or LOREHOOK_PROFILE names, else the one in use.
func (s *session) edited() (file configFile, name string, err error) {
	if file, err = s.readConfig(); err != nil {
		return file, "", err
	}
	name = cmp.Or(s.namedProfile(), file.used())
	return file, name, checkProfileName(name)
}

type configSetCommand struct {
	Key   string `arg:"" completion-predictor:"key" help:"api-url, aws-profile, aws-region or gitlab-base-url."`
	Value string `arg:"" help:"The value."`
}

// Help implements [kong.HelpProvider].
func (*configSetCommand) Help() string {
	return `Changes the profile in use, or the one that --profile names.

Examples:

    lore config set aws-region eu-central-1

    lore config set aws-profile team --profile production`
}

// Run implements the command.
func (c *configSetCommand) Run(s *session) error {
	key, err := keyNamed(c.Key)
	if err != nil {
		return err
	}
	if err := key.check(c.Value); err != nil {
		return err
	}
	file, name, err := s.edited()
	if err != nil {
		return err
	}
	if file.Profiles == nil {
		file.Profiles = map[string]profile{}
	}
	if file.Profiles[name] == nil {
		file.Profiles[name] = profile{}
	}
	file.Profiles[name][c.Key] = c.Value
	if err := s.writeConfig(file); err != nil {
		return err
	}
	s.answer(map[string]string{"profile": name, "key": c.Key, "value": c.Value}, func(p *printer) {
		p.line("profile %s: %s is %s", name, c.Key, c.Value)
	})
	at, err := s.setting(c.Key)
	if err == nil && at.from != "profile "+name {
		s.err.sentence("here it does not apply: %s takes precedence (see lore config list)", cmp.Or(at.from, "the local stack"))
	}
	return err
}

type configGetCommand struct {
	Key string `arg:"" completion-predictor:"key" help:"api-url, aws-profile, aws-region or gitlab-base-url."`
}

// Help implements [kong.HelpProvider].
func (*configGetCommand) Help() string {
	return `Prints what the profile in use has, or the one that --profile names. lore config list prints what applies.

Example:

    lore config get api-url --profile production`
}

// Run implements the command.
func (c *configGetCommand) Run(s *session) error {
	if _, err := keyNamed(c.Key); err != nil {
		return err
	}
	file, name, err := s.edited()
	if err != nil {
		return err
	}
	value := file.Profiles[name][c.Key]
	if value == "" {
		return invalid("profile %s has no %s", name, c.Key)
	}
	s.answer(map[string]string{"profile": name, "key": c.Key, "value": value}, func(p *printer) { p.line("%s", value) })
	return nil
}

type configUnsetCommand struct {
	Key string `arg:"" completion-predictor:"key" help:"api-url, aws-profile, aws-region or gitlab-base-url."`
}

// Help implements [kong.HelpProvider].
func (*configUnsetCommand) Help() string {
	return `Changes the profile in use, or the one that --profile names.

Example:

    lore config unset aws-profile`
}

// Run implements the command.
func (c *configUnsetCommand) Run(s *session) error {
	if _, err := keyNamed(c.Key); err != nil {
		return err
	}
	file, name, err := s.edited()
	if err != nil {
		return err
	}
	if file.Profiles[name][c.Key] != "" {
		if delete(file.Profiles[name], c.Key); len(file.Profiles[name]) == 0 {
			delete(file.Profiles, name)
			if file.Use == name {
				file.Use = ""
			}
		}
		if err := s.writeConfig(file); err != nil {
			return err
		}
	}
	s.answer(map[string]string{"profile": name, "key": c.Key}, func(p *printer) { p.line("profile %s has no %s", name, c.Key) })
	return nil
}

type configUseCommand struct {
	Name string `arg:"" completion-predictor:"profile" help:"The profile."`
}

// Help implements [kong.HelpProvider].
func (*configUseCommand) Help() string {
	return `Until a profile is chosen, the one in use is named default.

Example:

    lore config use production`
}

// Run implements the command.
func (c *configUseCommand) Run(s *session) error {
	file, err := s.readConfig()
	if err != nil {
		return err
	}
	if _, err := file.named(c.Name); err != nil {
		return err
	}
	file.Use = c.Name
	if err := s.writeConfig(file); err != nil {
		return err
	}
	s.answer(map[string]string{"profile": c.Name}, func(p *printer) { p.line("using profile %s", c.Name) })
	return nil
}

type configListCommand struct{}

// Help implements [kong.HelpProvider].
func (*configListCommand) Help() string {
	return precedence + `

Example:

    lore config list`
}

// Run implements the command.
func (*configListCommand) Run(s *session) error {
	type row struct {
		Key   string `json:"key"`
		Value string `json:"value,omitempty"`
		From  string `json:"from,omitempty"`
	}
	file, err := s.readConfig()
	if err != nil {
		return err
	}
	path, err := s.configPath()
	if err != nil {
		return err
	}
	at, err := s.place()
	if err != nil {
		return err
	}
	var rows []row
	for _, key := range configKeys() {
		v, err := s.setting(key.name)
		if err != nil {
			return err
		}
		rows = append(rows, row{key.name, v.value, v.from})
	}
	answer := map[string]any{"file": path, "applies": at.name, "use": file.used(), "profiles": file.names(), "settings": rows}
	s.answer(answer, func(p *printer) {
		cells := make([][]cell, len(rows))
		for i, r := range rows {
			cells[i] = []cell{plain("%s", r.Key), plain("%s", r.Value), plain("%s", r.From)}
		}
		p.table([]string{"KEY", "VALUE", "FROM"}, cells)
		if at.local {
			p.sentence("the local stack is in this directory or above: profile %s applies only with --profile", file.used())
		}
		p.sentence("profiles: %s, in %s", cmp.Or(strings.Join(file.names(), ", "), "none"), path)
	})
	return nil
}
