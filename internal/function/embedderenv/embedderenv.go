// Package embedderenv makes a function's embedder from its configuration.
package embedderenv

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"

	"gitlab.com/lorehook/lorehook/internal/awsapi"
	"gitlab.com/lorehook/lorehook/internal/embedding"
	"gitlab.com/lorehook/lorehook/internal/function"
	"gitlab.com/lorehook/lorehook/internal/function/awsenv"
	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/function/secret"
	"gitlab.com/lorehook/lorehook/internal/token"
)

// New returns the configured embedder. Its API key is read when it is needed.
func New[C function.Config](c config.Embedder, env function.Env[C]) (embedding.Embedder, error) {
	secrets := sync.OnceValue(func() secret.Reader { return awsapi.NewSecretsManager(env.AWS) })
	apiKey := secret.NewSource(secret.FromManager(secrets, c.APIKeySecretID, token.Key), time.Now).OnFailure(env.SecretFailed)
	// The embedder itself repeats what failed: the SDK would not honor Retry-After,
	// and would not slow the other requests down.
	bedrock := bedrockruntime.NewFromConfig(awsenv.Patient(env.AWS), func(o *bedrockruntime.Options) { o.Retryer = aws.NopRetryer{} })
	return embedding.New(c, embedding.Deps{Bedrock: bedrock, APIKey: apiKey.Get, Jitter: rand.N[time.Duration]})
}
