package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"gitlab.com/lorehook/lorehook/internal/apiclient"
	adapter "gitlab.com/lorehook/lorehook/internal/gitlab"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	"gitlab.com/lorehook/lorehook/internal/token"
)

type hooksRotateCommand struct {
	hookURL
	Project []string `short:"p" placeholder:"PROJECT" completion-predictor:"project" help:"Project ID, path or URL; can be repeated."`
	Group   []string `short:"g" placeholder:"GROUP" help:"Group ID or full path; can be repeated."`
	Secret  string   `env:"LOREHOOK_WEBHOOK_SECRET_ID" placeholder:"NAME" help:"Name or ARN of the stack's secret with the webhook tokens (default: LOREHOOK_WEBHOOK_SECRET_ID)."`
	KeepOld bool     `xor:"old" help:"Leave the old tokens in the secret."`
	DropOld bool     `xor:"old" help:"Remove the old tokens from the secret, even if other hooks may use them."`
	DryRun  bool     `help:"Only print what would be done."`
}

// Help implements [kong.HelpProvider].
func (*hooksRotateCommand) Help() string {
	return fmt.Sprintf(`Makes a new token and replaces the old one in this order, so that no delivery is refused: the new token is added to the stack's secret; after %v s every function has read it; the webhooks are switched; after %v s no delivery with the old token is under way; the old tokens are removed from the secret. If webhooks of other projects that the stack knows, or of groups above them, may still use the old tokens, these are kept, and the command says which webhooks these are: name all of them together, or pass --drop-old. The command can be repeated at any time: until its last step, the secret holds every token that a webhook may use.

For a stack that is not on AWS, it prints the steps instead.

`, surgical.SecretMaxAge.Seconds(), rotationDrain.Seconds()) + hooksNeed + ` Uses your AWS credentials to read and write the secret.

Example:

    lore hooks rotate -p group/project --secret LorehookWebhookSecret --api-url https://abc123.execute-api.eu-west-1.amazonaws.com`
}

const (
	// rotationWait is how long functions may use a secret without the new token.
	rotationWait = surgical.SecretMaxAge + 5*time.Second
	// rotationDrain is how long a delivery with the old token may be under way.
	rotationDrain = surgical.WebhookTimeout + 5*time.Second
)

// rotation is the replacement of the tokens of some hooks.
type rotation struct {
	hooks []rotated
	// signing is set if the hooks sign; otherwise they have a secret token.
	signing bool
	token   string
}

// rotated is one hook of a rotation.
type rotated struct {
	hooks
	hook adapter.Hook
}

// Run implements the command.
func (c *hooksRotateCommand) Run(ctx context.Context, s *session) error {
	if len(c.Project)+len(c.Group) == 0 {
		return invalid("name at least one project (-p) or group (-g)")
	}
	hook, err := s.webhook(c.URL)
	if err != nil {
		return err
	}
	r, err := c.find(ctx, s, hook.url)
	if err != nil {
		return err
	}
	if c.DryRun || c.Secret == "" {
		return c.explain(ctx, s, r)
	}
	secret, err := s.webhookSecret(ctx, c.Secret, hook.url)
	if err != nil {
		return err
	}
	old, err := secret.read(ctx)
	if err != nil {
		return err
	}
	if r.token = token.NewSecret(); r.signing {
		r.token = token.NewSigning()
	}
	return c.rotate(ctx, s, hook.url, r, secret, old)
}

// find looks the hooks up. All must have the same kind of token.
func (c *hooksRotateCommand) find(ctx context.Context, s *session, address string) (rotation, error) {
	var owners []hookOwner
	for _, p := range c.Project {
		owners = append(owners, hookOwner{Project: p})
	}
	for _, g := range c.Group {
		owners = append(owners, hookOwner{Group: g})
	}
	var r rotation
	for i, o := range owners {
		h, err := s.hooks(ctx, o)
		if err != nil {
			return r, err
		}
		found, err := h.at(ctx, address)
		if err != nil {
			return r, err
		}
		if len(found) == 0 {
			return r, h.unhealthy(fmt.Sprintf("%s has no hook for %s", h.owner, address))
		}
		for _, hook := range found {
			if i > 0 && hook.SigningToken != r.signing {
				return r, invalid("some hooks sign and others do not; rotate them separately")
			}
			r.signing = hook.SigningToken
			r.hooks = append(r.hooks, rotated{h, hook})
		}
	}
	return r, nil
}

// rotate carries the rotation out.
func (c *hooksRotateCommand) rotate(ctx context.Context, s *session, address string, r rotation, secret webhookSecret, old webhookTokens) error {
	if err := secret.write(ctx, old.with(r.signing, append(token.List{r.token}, old.list(r.signing)...))); err != nil {
		return err
	}
	s.err.line("the new token is in the secret; waiting %v s until every function has read it", rotationWait.Seconds())
	if err := s.Pause(ctx, rotationWait); err != nil {
		return err
	}
	if now, err := secret.read(ctx); err != nil || !slices.Contains(now.list(r.signing), r.token) {
		if err != nil {
			return err
		}
		return surgical.NewError(surgical.CodeConflict, "the new token is no longer in the secret: somebody else changed it in the meantime. No hook was changed; run the command again")
	}
	for _, one := range r.hooks {
		if err := one.switchTo(ctx, address, r); err != nil {
			return err
		}
		s.err.line("switched hook %v of %s", one.hook.ID, one.owner)
	}
	left, err := s.others(ctx, r)
	if err != nil {
		return err
	}
	removed := 0
	if c.DropOld || !c.KeepOld && left.none() {
		if removed, err = s.dropOld(ctx, r, secret, old); err != nil {
			return err
		}
	}
	result := struct {
		Switched []int64 `json:"switched"`
		Removed  int     `json:"old_tokens_removed"`
		others
	}{r.ids(), removed, left}
	s.answer(result, func(p *printer) {
		p.line("%s: %s the new token, %s removed", paint(p.good, "rotated"), counted(len(r.hooks), "hook has", "hooks have"), counted(removed, "old token", "old tokens"))
		p.others(left, c)
	})
	return nil
}

// dropOld removes the tokens that the secret had before the rotation, once no delivery
// with them is under way. It returns how many these were.
func (s *session) dropOld(ctx context.Context, r rotation, secret webhookSecret, old webhookTokens) (removed int, err error) {
	s.err.line("waiting %v s until no delivery with the old token is under way", rotationDrain.Seconds())
	if err := s.Pause(ctx, rotationDrain); err != nil {
		return 0, err
	}
	now, err := secret.read(ctx)
	if err != nil {
		return 0, err
	}
	// Only what was there at the start: another rotation may have added its own.
	kept := slices.DeleteFunc(slices.Clone(now.list(r.signing)), func(t string) bool { return slices.Contains(old.list(r.signing), t) })
	if removed = len(now.list(r.signing)) - len(kept); removed > 0 {
		err = secret.write(ctx, now.with(r.signing, kept))
	}
	return removed, err
}

func (r rotation) ids() []int64 {
	ids := []int64{}
	for _, one := range r.hooks {
		ids = append(ids, one.hook.ID)
	}
	return ids
}

// switchTo gives the hook the new token.
func (h rotated) switchTo(ctx context.Context, address string, r rotation) error {
	settings := settingsOf(address)
	settings.Token = &r.token
	if r.signing {
		settings.Token, settings.SigningToken = nil, &r.token
	}
	changed, err := h.write(ctx, http.MethodPut, below(h.hook.ID), settings)
	if err != nil {
		return err
	}
	if r.signing && !changed.SigningToken || !r.signing && !changed.Token {
		return h.unhealthy(fmt.Sprintf("GitLab did not store the new token of hook %d; the secret still has the old one", h.hook.ID))
	}
	return nil
}

// explain says what a rotation does, or what to do by hand without a secret.
func (c *hooksRotateCommand) explain(ctx context.Context, s *session, r rotation) error {
	left, err := s.others(ctx, r)
	if err != nil {
		return err
	}
	generate, member, flag := "lore token generate --secret-token", "secret_tokens", "GITLAB_WEBHOOK_SECRET_TOKENS"
	if r.signing {
		generate, member, flag = "lore token generate", "signing_tokens", "GITLAB_WEBHOOK_SIGNING_TOKENS"
	}
	steps := []string{
		"make a new token (" + generate + ") and put it in front of the old ones in " + member + " of the stack's secret (the local stack: in " + flag + ", as a JSON list, then make up)",
		fmt.Sprintf("wait %v s, until every function has read it", rotationWait.Seconds()),
		fmt.Sprintf("set it on the hooks %v: lore hooks add with the new token first in %s", r.ids(), flag),
		fmt.Sprintf("wait %v s, until no delivery with the old token is under way", rotationDrain.Seconds()),
		"remove the old tokens, unless other hooks use them",
	}
	result := struct {
		DryRun bool     `json:"dry_run"`
		Hooks  []int64  `json:"hooks"`
		Steps  []string `json:"steps"`
		others
	}{c.DryRun, r.ids(), steps, left}
	s.answer(result, func(p *printer) {
		for i, step := range steps {
			p.sentence("%v. %s", i+1, step)
		}
		p.others(left, c)
	})
	if !c.DryRun {
		return invalid("without --secret, nothing was done: name the stack's secret, or follow the steps")
	}
	return nil
}

// webhookTokens is the value of the secret with the webhook tokens. Members that are
// not known stay as they are.
type webhookTokens map[string]json.RawMessage

func member(signing bool) string {
	if signing {
		return "signing_tokens"
	}
	return "secret_tokens"
}

// list returns the tokens of a kind; a text instead of a list is one token.
func (t webhookTokens) list(signing bool) token.List {
	raw := t[member(signing)]
	var list []string
	var text string
	if json.Unmarshal(raw, &list) == nil {
		return slices.DeleteFunc(list, func(t string) bool { return t == "" })
	}
	if json.Unmarshal(raw, &text) == nil && text != "" {
		return token.List{text}
	}
	return nil
}

func (t webhookTokens) with(signing bool, list token.List) webhookTokens {
	changed := webhookTokens{}
	for name, value := range t {
		changed[name] = value
	}
	changed[member(signing)], _ = json.Marshal(list) // strings always encode
	return changed
}

// webhookSecret is the secret with the webhook tokens.
type webhookSecret struct {
	client *secretsmanager.Client
	id     string
}

func (s *session) webhookSecret(ctx context.Context, id, webhookURL string) (webhookSecret, error) {
	at, err := url.Parse(webhookURL)
	if err != nil {
		return webhookSecret{}, invalid("the webhook's URL: %v", err)
	}
	region := apiclient.RegionOf(at) // the secret is where the webhook is
	if named, err := arn.Parse(id); err == nil {
		region = named.Region
	}
	config, err := s.awsIn(ctx, region, at.Host)
	if err != nil {
		return webhookSecret{}, err
	}
	return webhookSecret{secretsmanager.NewFromConfig(config), id}, nil
}

func (w webhookSecret) read(ctx context.Context) (webhookTokens, error) {
	out, err := w.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &w.id})
	if err != nil {
		return nil, fmt.Errorf("read the secret %s: %w", w.id, err)
	}
	var tokens webhookTokens
	if json.Unmarshal([]byte(aws.ToString(out.SecretString)), &tokens) != nil || tokens == nil {
		return nil, invalid(`the secret %s is not {"signing_tokens":[…],"secret_tokens":[…]}; nothing was changed`, w.id)
	}
	return tokens, nil
}

func (w webhookSecret) write(ctx context.Context, tokens webhookTokens) error {
	raw, err := json.Marshal(tokens)
	if err != nil {
		return fmt.Errorf("encode the secret %s: %w", w.id, err)
	}
	if _, err := w.client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &w.id, SecretString: aws.String(string(raw))}); err != nil {
		return fmt.Errorf("write the secret %s: %w", w.id, err)
	}
	return nil
}
