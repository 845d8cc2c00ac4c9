package cli

import (
	"cmp"
	"context"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
)

// setting is a value and where it comes from, such as "LOREHOOK_API_URL". Both are empty
// if there is none. With credentials in the environment, from is the variable that
// replaces the AWS profile, and there is no value.
type setting struct{ value, from string }

// place is where settings are that no flag and no variable has: a profile, or the local
// stack.
type place struct {
	name   string
	values profile
	local  bool
}

// setting returns the value of a key: of the flag, else of the environment, else of the
// profile that --profile or LOREHOOK_PROFILE names, else of the local stack, else of the
// profile in use. A local stack and a profile are never mixed.
func (s *session) setting(name string) (setting, error) {
	key, err := keyNamed(name)
	if err != nil {
		return setting{}, err
	}
	if name == keyAPIURL && s.APIURL != "" {
		return setting{s.APIURL, "--api-url"}, nil
	}
	for _, variable := range key.env {
		if value := s.lookup(variable); value != "" {
			return setting{value, variable}, nil
		}
	}
	for _, variable := range key.instead {
		if s.lookup(variable) != "" {
			return setting{from: variable}, nil
		}
	}
	at, err := s.place()
	if err != nil || at.values[name] == "" {
		return setting{}, err
	}
	return setting{at.values[name], at.name}, nil
}

// fromLocalStack is where settings of the local stack come from.
const fromLocalStack = "the local stack"

func (s *session) place() (place, error) {
	if name := s.namedProfile(); name != "" {
		file, err := s.readConfig()
		if err != nil {
			return place{}, err
		}
		values, err := file.named(name)
		return place{name: "profile " + name, values: values}, err
	}
	e, err := s.local()
	if err != nil {
		return place{}, err
	}
	if e != (endpoints{}) {
		return place{name: fromLocalStack, values: profile{keyAPIURL: e.APIURL, keyGitLabBaseURL: e.GitLabBaseURL}, local: true}, nil
	}
	file, err := s.readConfig()
	return place{name: "profile " + file.used(), values: file.Profiles[file.used()]}, err
}

// namedProfile is the profile that the user asked for, or "".
func (s *session) namedProfile() string { return cmp.Or(s.Profile, s.lookup("LOREHOOK_PROFILE")) }

// awsConfig loads the user's AWS configuration, with the chosen profile and region.
func (s *session) awsConfig(ctx context.Context) (aws.Config, error) {
	profile, err := s.setting(keyAWSProfile)
	if err != nil {
		return aws.Config{}, err
	}
	region, err := s.setting(keyAWSRegion)
	if err != nil {
		return aws.Config{}, err
	}
	config, err := s.AWS(ctx, profile.value, region.value)
	if err != nil {
		return aws.Config{}, noCredentials(err)
	}
	return config, nil
}

// awsOf loads the user's AWS configuration for the region of the stack that the URL
// belongs to: the URL names it, or else the user does.
func (s *session) awsOf(ctx context.Context, of *url.URL) (aws.Config, error) {
	return s.awsIn(ctx, apiclient.RegionOf(of), of.Host)
}

// awsIn loads the user's AWS configuration for the region that name is in, or for the
// user's own if that is not known.
func (s *session) awsIn(ctx context.Context, region, name string) (aws.Config, error) {
	config, err := s.awsConfig(ctx)
	if err != nil {
		return aws.Config{}, err
	}
	if config.Region = cmp.Or(region, config.Region); config.Region == "" {
		return aws.Config{}, invalid("the AWS region of %s is unknown: set AWS_REGION", name)
	}
	return config, nil
}
