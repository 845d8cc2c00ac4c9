package devstack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"gitlab.com/lorehook/lorehook/internal/function/config"
	"gitlab.com/lorehook/lorehook/internal/token"
	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
)

const ministackName = "ministack"

// StackOptions configure what is deployed, and where.
type StackOptions struct {
	// Root is the module root; [Root] if empty.
	Root string
	// Dir holds the stack's state, logs and records; LocalDir in Root if empty.
	Dir string
	// Name identifies the GitLab that is copied. Each name has its own state,
	// so that copies never mix. The host in GitLabBaseURL if empty.
	Name string
	// Port of the local AWS the first time, unless it is taken; 0 for any.
	// Later the local AWS keeps its port if possible.
	Port int
	// GitLabBaseURL and GitLabToken address the GitLab to copy from.
	GitLabBaseURL, GitLabToken string
	// GitLabCABundle is a PEM file with the private authority of GitLab's
	// certificate; empty if it has none.
	GitLabCABundle string
	// SigningTokens (whsec_…) and SecretTokens verify webhooks. If there is no
	// signing token, a random one is created and kept.
	SigningTokens, SecretTokens []string
	// Projects is the allow list: ids, or *, the default.
	Projects string
	// GitLabRequestsPerSecond is the worker's rate limit; 0 for 10.
	GitLabRequestsPerSecond int
	// Embedder is an OpenAI-compatible endpoint that embeds documents; the model in
	// ModelDir if it is not set, and none if that is not installed.
	Embedder Embedder
	// NoAuth disables the enforcement of IAM.
	NoAuth bool
	// Detach lets the stack outlive this process.
	Detach bool
	// Progress, if not nil, is called with each step as it begins.
	Progress func(step string)
	// Lost, if not nil, is called if the local AWS was killed, with the time
	// since when its writes are lost.
	Lost func(since time.Time)
}

// Embedder is an OpenAI-compatible endpoint. URL ends with /v1.
type Embedder struct{ URL, Model string }

// Outputs are the deployed stack's outputs, by name.
type Outputs map[string]string

// Tables returns the real names of the tables.
func (o Outputs) Tables() config.Tables {
	return config.Tables{
		Content: o["ContentTable"], SyncRuns: o["SyncRunsTable"], SyncRunEntities: o["SyncRunEntitiesTable"],
		DirtySources: o["DirtySourcesTable"], DependentQueue: o["DependentQueueTable"], State: o["StateTable"], Projects: o["ProjectsTable"], Feed: o["FeedTable"],
	}
}

// Stack is a deployed, running stack.
type Stack struct {
	Endpoints Endpoints
	Outputs   Outputs
	// AWS is the configuration for clients of the local AWS.
	AWS aws.Config

	up *upper
}

// Stop ends the operations console and the local AWS with its Lambdas, and
// returns when they have exited. The state stays in Dir.
func (s *Stack) Stop() error {
	_, consoleErr := StopRecorded(s.up.o.Dir, consoleName)
	_, err := StopRecorded(s.up.o.Dir, ministackName)
	return errors.Join(consoleErr, err)
}

// Up brings the stack to the state that the checkout and the options describe,
// and returns when it is ready: functions compiled, template synthesized and
// deployed, secrets in place, IAM enforced. Anything already up to date is left
// alone.
func Up(ctx context.Context, o StackOptions) (*Stack, error) {
	var err error
	if o.Root == "" {
		if o.Root, err = Root(); err != nil {
			return nil, err
		}
	}
	o.Dir = cmp.Or(o.Dir, filepath.Join(o.Root, LocalDir))
	o.Projects = cmp.Or(o.Projects, "*")
	if o.Name == "" {
		gitlab, err := url.Parse(o.GitLabBaseURL)
		if err != nil || gitlab.Host == "" {
			return nil, fmt.Errorf("local stack: %q is not the URL of a GitLab", o.GitLabBaseURL)
		}
		o.Name = strings.ReplaceAll(gitlab.Host, ":", "_")
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if o.Lost == nil {
		o.Lost = func(time.Time) {}
	}
	unlock, err := lockFile(filepath.Join(o.Dir, "run", "up.lock"))
	if err != nil {
		return nil, fmt.Errorf("local stack: %w", err)
	}
	defer unlock()
	u := &upper{o: o}
	stack, err := u.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("local stack: %w", err)
	}
	return stack, nil
}

// upper starts one stack.
type upper struct {
	o      StackOptions
	record Record
}

func (u *upper) run(ctx context.Context) (*Stack, error) {
	u.o.Progress("compiling the functions")
	if _, err := BuildLambdas(ctx, u.o.Root, Host()); err != nil {
		return nil, err
	}
	if err := u.find(ctx); err != nil {
		return nil, err
	}
	secrets, err := u.secrets()
	if err != nil {
		return nil, err
	}
	values := u.context()
	want, err := cdk{root: u.o.Root}.fingerprint(ctx, values, Host())
	if err != nil {
		return nil, err
	}
	// Queue URLs contain the port.
	want += ":" + strconv.Itoa(u.record.Port)
	have, err := readDeployment(ctx, u.config())
	if err != nil {
		return nil, err
	}
	if have.Fingerprint != want {
		if have, err = u.redeploy(ctx, want, values); err != nil {
			return nil, err
		}
	}
	changed, err := secrets.put(ctx, u.config(), have.Outputs)
	if err != nil {
		return nil, err
	}
	// A restart makes running Lambdas read the secrets again.
	if u.record.Auth == u.o.NoAuth || (changed && u.record.Auth) {
		if err := u.restart(ctx, !u.o.NoAuth); err != nil {
			return nil, err
		}
	}
	return u.finish(ctx, have, secrets)
}

// find takes over the running local AWS, or starts it with its previous state.
func (u *upper) find(ctx context.Context) error {
	var err error
	if u.record, err = ReadRecord(u.o.Dir, ministackName); err != nil {
		return err
	}
	if u.record.Alive() && u.record.State == u.o.Name && answers(ctx, u.record.URL+"/_ministack/ready", http.StatusOK) == nil {
		return nil
	}
	if _, err := StopRecorded(u.o.Dir, ministackName); err != nil {
		return err
	}
	since, err := unsavedSince(stateDir(u.o.Dir, u.o.Name))
	if err != nil {
		return err
	}
	if !since.IsZero() {
		u.o.Lost(since)
	}
	u.o.Progress("starting the local AWS")
	return u.start(ctx, !u.o.NoAuth)
}

func (u *upper) start(ctx context.Context, auth bool) error {
	dir := stateDir(u.o.Dir, u.o.Name)
	port, err := statePort(dir, u.o.Port)
	if err != nil {
		return err
	}
	if err := forgetStreams(dir); err != nil {
		return err
	}
	server, err := Ministack(ctx, Options{
		Dir: dir, Log: filepath.Join(u.o.Dir, "logs", "ministack.log"),
		Port: port, Auth: auth, Persist: true, Detach: u.o.Detach, root: u.o.Root,
	})
	if err != nil {
		return err
	}
	if err := unsaved(dir, time.Now()); err != nil {
		return errors.Join(err, server.Stop())
	}
	u.record = Record{Process: server.Process, URL: server.URL, Port: server.Port, State: u.o.Name, Auth: auth}
	return WriteRecord(u.o.Dir, ministackName, u.record)
}

func (u *upper) restart(ctx context.Context, auth bool) error {
	if auth {
		u.o.Progress("restarting it with IAM enforced")
	}
	if _, err := StopRecorded(u.o.Dir, ministackName); err != nil {
		return err
	}
	return u.start(ctx, auth)
}

func (u *upper) config() aws.Config { return Config(u.record.URL) }

// context returns the context values for a local template.
func (u *upper) context() map[string]string {
	values := map[string]string{
		"architecture":            Host().Architecture(),
		"gitlabBaseUrl":           u.o.GitLabBaseURL,
		"projects":                u.o.Projects,
		"gitlabRequestsPerSecond": strconv.Itoa(cmp.Or(u.o.GitLabRequestsPerSecond, 10)),
		"allowUnsignedApi":        "true",
		"account":                 AccountID,
		"region":                  Region,
	}
	if u.o.GitLabCABundle != "" {
		values["gitlabCaBundle"] = u.o.GitLabCABundle
	}
	maps.Copy(values, u.embedder())
	return values
}

// embedder returns the context values that choose the embedder.
func (u *upper) embedder() map[string]string {
	if e := u.o.Embedder; e.URL != "" {
		return map[string]string{"embedder": "openai", "embedderUrl": e.URL, "embedderModel": e.Model}
	}
	if !HasModel(u.o.Root) {
		return map[string]string{"embedder": "lexical"}
	}
	return map[string]string{"embedder": "minilm", "embedderDir": filepath.Join(u.o.Root, ModelDir)}
}

// redeploy deploys the current checkout. The CDK CLI cannot publish its assets
// while IAM is enforced.
func (u *upper) redeploy(ctx context.Context, want string, values map[string]string) (deployment, error) {
	assembly := filepath.Join(u.o.Dir, "cdk.out")
	step := "synthesizing the template"
	if _, err := os.Stat(infraBinary(u.o.Root)); err != nil {
		step += " (compiles the CDK, once)"
	}
	u.o.Progress(step)
	tool := cdk{root: u.o.Root, dir: u.o.Dir}
	if err := os.RemoveAll(assembly); err != nil {
		return deployment{}, err
	}
	if err := tool.synth(ctx, assembly, values); err != nil {
		return deployment{}, err
	}
	if u.record.Auth {
		if err := u.restart(ctx, false); err != nil {
			return deployment{}, err
		}
	}
	u.o.Progress("deploying")
	tool.endpoint = u.record.URL
	outputs, err := tool.deploy(ctx, u.config(), assembly, filepath.Join(u.o.Dir, "outputs.json"))
	if err != nil {
		return deployment{}, err
	}
	d := deployment{Fingerprint: want, Outputs: outputs}
	return d, d.write(ctx, u.config())
}

func (u *upper) finish(ctx context.Context, have deployment, secrets webhookSecrets) (*Stack, error) {
	api := u.record.URL + "/_aws/execute-api/" + have.Outputs["HttpApiId"]
	e := Endpoints{
		WebhookURL: api + delivery.Path, APIURL: api, GitLabBaseURL: u.o.GitLabBaseURL,
		AWSEndpointURL: u.record.URL, SigningToken: token.List(secrets.signing).First(),
	}
	if err := e.write(u.o.Dir); err != nil {
		return nil, err
	}
	return &Stack{Endpoints: e, Outputs: have.Outputs, AWS: u.config(), up: u}, ctx.Err()
}
