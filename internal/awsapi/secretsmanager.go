package awsapi

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// SecretsManager reads secrets.
type SecretsManager struct{ client *client }

// NewSecretsManager returns a client with the configuration.
func NewSecretsManager(cfg aws.Config) *SecretsManager {
	return &SecretsManager{newClient(cfg, service{id: "Secrets Manager", name: "secretsmanager", target: "secretsmanager", version: "1.1"})}
}

// The codes of failures of GetSecretValue that do not pass by themselves: there is no such
// secret, or it is scheduled for deletion.
const (
	CodeNoSecret       = "ResourceNotFoundException"
	CodeInvalidRequest = "InvalidRequestException"
)

// GetSecretValueInput names a secret, by its name or ARN.
type GetSecretValueInput struct {
	SecretID string `json:"SecretId"`
}

// GetSecretValueOutput has the text of a secret, "" if it is binary.
type GetSecretValueOutput struct {
	Text string `json:"SecretString"`
}

// GetSecretValue reads the current version of a secret.
func (s *SecretsManager) GetSecretValue(ctx context.Context, in *GetSecretValueInput) (*GetSecretValueOutput, error) {
	return callJSON[GetSecretValueInput, GetSecretValueOutput](ctx, s.client, "GetSecretValue", in)
}
