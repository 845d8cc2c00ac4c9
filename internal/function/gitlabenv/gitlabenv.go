// Package gitlabenv makes a function's client of GitLab from its configuration.
package gitlabenv

import (
	"context"
	"crypto/x509"
	"sync"
	"time"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/internal/cabundle"
	"gitlab.com/lorehook/lorehook/internal/function"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/function/secret"
	"gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/token"
)

// NewClient returns a client with the configured address, token and rate, which reports
// to the meter.
func NewClient[C function.Config](c config.GitLab, env function.Env[C], meter gitlab.Meter) (*gitlab.Client, error) {
	roots, err := roots(c.CAFile)
	if err != nil {
		return nil, err
	}
	get, refresh := accessToken(c, env)
	return gitlab.NewClient(gitlab.Options{
		BaseURL: c.BaseURL, Token: get, RefreshToken: refresh, RequestsPerSecond: c.RequestsPerSecond, Clock: time.Now,
		Meter: meter, RootCAs: roots,
	})
}

// roots returns the authorities that may have signed GitLab's certificate, or nil
// for those of the runtime.
func roots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	return cabundle.ReadFile(file)
}

// accessToken returns how the GitLab token is read, when it is first needed, and how
// it is read again after GitLab refused it.
func accessToken[C function.Config](c config.GitLab, env function.Env[C]) (get func(context.Context) (string, error), refresh func(context.Context) (bool, error)) {
	if c.Token != "" {
		return func(context.Context) (string, error) { return c.Token, nil }, nil
	}
	client := sync.OnceValue(func() secret.Reader { return awsapi.NewSecretsManager(env.AWS) })
	source := secret.NewSource(secret.FromManager(client, c.TokenSecretID, token.Access), time.Now).OnFailure(env.SecretFailed)
	return source.Get, func(ctx context.Context) (bool, error) {
		_, read, err := source.Refresh(ctx)
		return read, err
	}
}
