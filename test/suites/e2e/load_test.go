package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"gitlab.com/lorehook/lorehook/internal/queue"
	"gitlab.com/lorehook/lorehook/internal/render"
	"gitlab.com/lorehook/lorehook/internal/surgical"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
	"gitlab.com/lorehook/lorehook/test/load"
)

// loadPatience is longer than the wait for a lost lease.
const loadPatience = 5 * time.Minute

func (s stack) underLoad(t *testing.T, shape load.Shape) load.Report {
	t.Helper()
	report, err := load.NewTarget(s.Stack, s.gitlab).Run(t.Context(), load.Options{Shape: shape, Lanes: 4, Patience: loadPatience})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestASmallLoadIsAccountedForAndEveryDifferenceFromTheTruthIsNamed(t *testing.T) {
	s := up(t)
	const events, entities = 40, 20
	shape := load.Shape{Events: events, Entities: entities, Seed: 42, Duplicates: 0.05, Disorder: 0.1, Faults: 0.02}
	r := s.underLoad(t, shape)
	if wrong := r.Wrong(); len(wrong) > 0 {
		t.Fatalf("%d things are wrong:\n%s", len(wrong), strings.Join(wrong, "\n"))
	}
	a, c := r.Account, r.Comparison
	const repeated = events / 20
	if r.Sent.Acknowledged != events || r.Sent.Duplicates != repeated || a.Events != events-repeated || a.Committed < entities || a.Committed+a.Coalesced+a.SkippedStale != events-repeated {
		t.Errorf("sent %+v, account %+v", r.Sent, a)
	}
	if len(r.GitLabFaults) == 0 || c.Entities != entities || c.Documents != c.Entities+c.Discussions || c.Embeddings < c.Documents || c.Events == 0 {
		t.Errorf("faults %v, comparison %+v", r.GitLabFaults, c)
	}
	s.tamper(t, entities)
}

// tamper corrupts the copies of some of the load's entities, each in another
// way, and checks that the comparison names exactly these.
func (s stack) tamper(t *testing.T, entities int) {
	t.Helper()
	target := load.NewTarget(s.Stack, s.gitlab)
	refs := make([]surgical.EntityRef, entities)
	for i := range refs {
		refs[i] = load.Entity(i)
	}
	without := func(i int) surgical.EntityRef { // has discussions
		return refs[i+slices.IndexFunc(refs[i:], func(ref surgical.EntityRef) bool { return len(s.gitlab.Discussions(ref)) > 0 })]
	}
	changed, commented, uncommented := refs[0], refs[1], without(2)
	rest := slices.DeleteFunc(slices.Clone(refs[3:]), func(ref surgical.EntityRef) bool { return ref == uncommented })
	gone := s.gitlab.Discussions(uncommented)[0].ID
	s.gitlab.Edit(changed, func(c *fakegitlab.Common) { c.Description += " More." })
	added := s.gitlab.AddDiscussion(commented, fakegitlab.Note{Body: "Nobody was told."})
	s.gitlab.DeleteDiscussion(uncommented, gone)
	s.gitlab.Relabel(rest[0], []string{"nobody-was-told"}, nil)
	s.delete(t, rest[1], "head")
	s.delete(t, rest[2], "doc#entity")
	s.delete(t, rest[3], "emb#entity")
	chunk := s.spoilVector(t, rest[4])

	c, err := target.Compare(t.Context(), refs)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		changed.String() + ": field description differs",
		changed.String() + ": document entity differs",
		changed.String() + ": embeddings of entity are of another version",
		commented.String() + ": discussion " + added + " is missing",
		commented.String() + ": document discussion#" + added + " is missing",
		commented.String() + ": embeddings of discussion#" + added + " are missing",
		uncommented.String() + ": discussion " + gone + " should not be there",
		uncommented.String() + ": document discussion#" + gone + " should not be there",
		uncommented.String() + ": embeddings of discussion#" + gone + " should not be there",
		rest[0].String() + ": field labels differs",
		rest[1].String() + ": there is no copy",
		rest[2].String() + ": document entity is missing",
		rest[3].String() + ": embeddings of entity are missing",
		rest[4].String() + ": embeddings of entity have another vector for chunk " + chunk,
	}
	for _, w := range want {
		if !slices.Contains(c.Differences, w) {
			t.Errorf("it does not say %q", w)
		}
	}
	tampered := append([]surgical.EntityRef{changed, commented, uncommented}, rest[:5]...)
	for _, d := range c.Differences {
		if !slices.ContainsFunc(tampered, func(ref surgical.EntityRef) bool { return strings.HasPrefix(d, ref.String()+": ") }) {
			t.Errorf("it says %q", d)
		}
	}
}

func (s stack) key(ref surgical.EntityRef, sk string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "P#" + ref.Key()}, "sk": &types.AttributeValueMemberS{Value: sk}}
}

func (s stack) delete(t *testing.T, ref surgical.EntityRef, sk string) {
	t.Helper()
	_, err := dynamodb.NewFromConfig(s.AWS).DeleteItem(t.Context(), &dynamodb.DeleteItemInput{
		TableName: aws.String(s.Outputs.Tables().Content), Key: s.key(ref, sk), ConditionExpression: aws.String("attribute_exists(pk)"),
	})
	if err != nil {
		t.Fatalf("%s of %s: %v", sk, ref, err)
	}
}

// spoilVector changes the vector of the first chunk of the entity's document.
func (s stack) spoilVector(t *testing.T, ref surgical.EntityRef) (chunk string) {
	t.Helper()
	truth, err := s.gitlab.Truth(ref)
	if err != nil {
		t.Fatal(err)
	}
	attributes, err := surgical.ParseAttributes(truth.Entity)
	if err != nil {
		t.Fatal(err)
	}
	document, err := render.Entity(ref, truth.Entity, attributes.Description)
	if err != nil {
		t.Fatal(err)
	}
	chunk = render.Chunks(document)[0].Hash
	_, err = dynamodb.NewFromConfig(s.AWS).UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: aws.String(s.Outputs.Tables().Content), Key: s.key(ref, "vec#entity#"+chunk),
		UpdateExpression: aws.String("SET vector = :v"), ConditionExpression: aws.String("attribute_exists(pk)"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":v": &types.AttributeValueMemberB{Value: make([]byte, 4*512)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return chunk
}

func TestALoadThatLostAnEventOnTheQueueSaysWhich(t *testing.T) {
	s := up(t)
	// One event per entity, so that no other event's fetch can make up for it.
	const events = 6
	resume := s.pauseWorker(t)
	done := make(chan load.Report, 1)
	failed := make(chan error, 1)
	go func() {
		r, err := load.NewTarget(s.Stack, s.gitlab).Run(t.Context(), load.Options{
			Shape: load.Shape{Events: events, Entities: events, Seed: 43}, Lanes: 2, Patience: loadPatience,
		})
		failed <- err
		done <- r
	}()
	dropped := s.dropMessage(t)
	resume()
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	r := <-done
	lost := fmt.Sprintf("of %s, run %s: lost", dropped.Refs()[0], dropped.RunID)
	if len(r.Account.Wrong) != 1 || !strings.Contains(r.Account.Wrong[0], lost) || r.Account.Committed != events-1 {
		t.Errorf("account %+v, want one event %q", r.Account, lost)
	}
	if len(r.Comparison.Differences) == 0 {
		t.Error("the comparison found no difference")
	}
	for _, d := range r.Comparison.Differences {
		if !strings.HasPrefix(d, dropped.Refs()[0].String()+": ") {
			t.Errorf("difference %q", d)
		}
	}
}

// pauseWorker keeps requests.fifo from the worker until it is resumed.
func (s stack) pauseWorker(t *testing.T) (resume func()) {
	t.Helper()
	client := lambda.NewFromConfig(s.AWS)
	all, err := client.ListEventSourceMappings(t.Context(), &lambda.ListEventSourceMappingsInput{FunctionName: aws.String(s.Outputs["WorkerFunctionName"])})
	if err != nil {
		t.Fatal(err)
	}
	queueURL := s.Outputs["RequestsQueueUrl"]
	name := queueURL[strings.LastIndex(queueURL, "/")+1:]
	i := slices.IndexFunc(all.EventSourceMappings, func(m lambdatypes.EventSourceMappingConfiguration) bool {
		return strings.HasSuffix(aws.ToString(m.EventSourceArn), ":"+name)
	})
	if i < 0 {
		t.Fatalf("no mapping of %s among %d", name, len(all.EventSourceMappings))
	}
	set := func(ctx context.Context, enabled bool) {
		_, err := client.UpdateEventSourceMapping(ctx, &lambda.UpdateEventSourceMappingInput{UUID: all.EventSourceMappings[i].UUID, Enabled: aws.Bool(enabled)})
		if err != nil {
			t.Fatal(err)
		}
	}
	set(t.Context(), false)
	t.Cleanup(func() { set(context.WithoutCancel(t.Context()), true) })
	return func() { set(t.Context(), true) }
}

// dropMessage deletes the first message of requests.fifo.
func (s stack) dropMessage(t *testing.T) surgical.Request {
	t.Helper()
	client, url := sqs.NewFromConfig(s.AWS), s.Outputs["RequestsQueueUrl"]
	var dropped surgical.Request
	until(t, "a message can be dropped", func() bool {
		out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: 1})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Messages) == 0 {
			return false
		}
		if dropped, err = queue.Decode(aws.ToString(out.Messages[0].Body)); err != nil {
			t.Fatal(err)
		}
		_, err = client.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: out.Messages[0].ReceiptHandle})
		if err != nil {
			t.Fatal(err)
		}
		return true
	})
	return dropped
}
