package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"gitlab.com/lorehook/lorehook/internal/webhook/delivery"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// event is an event as GitLab would send it.
type event struct {
	key, name string
	body      []byte
}

// sender makes the changes of a plan and delivers their events.
type sender struct {
	url, signingToken string
	gitlab            *fakegitlab.State
	shape             Shape
	client            *http.Client
	limit             *rate.Limiter

	mu sync.Mutex
	// events wait for their delivery, and are kept for their duplicate.
	events map[int]event
	// runs are the run ids of acknowledged changes.
	runs map[int]string
	// order holds the same ids, in the order in which they were acknowledged.
	order  []string
	counts Sent
	// refused are events that were not acknowledged, and why.
	refused []string
}

// Sent counts deliveries.
type Sent struct {
	// Events were sent, and Acknowledged of them got 202; both include
	// Duplicates and Disordered.
	Events       int `json:"events"`
	Acknowledged int `json:"acknowledged"`
	Duplicates   int `json:"duplicates"`
	// Repeated counts retries after no response or a 5xx.
	Repeated int `json:"repeated"`
}

// run executes the steps on several lanes. All steps of an entity are on the
// same lane, so that they keep their order.
func (s *sender) run(ctx context.Context, steps []step, lanes int) error {
	of := make([][]step, lanes)
	for _, step := range steps {
		lane := step.entity % lanes
		of[lane] = append(of[lane], step)
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, lane := range of {
		group.Go(func() error {
			for _, step := range lane {
				if err := s.take(ctx, step); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func (s *sender) take(ctx context.Context, step step) error {
	if !step.deliver {
		name, body, err := change(s.gitlab, rand.New(rand.NewPCG(s.shape.Seed, uint64(step.change)+2)), Entity(step.entity))
		if err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.events[step.change] = event{key: fmt.Sprintf("load-%d-%d", s.shape.Seed, step.change), name: name, body: body}
		return nil
	}
	if err := s.limit.Wait(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	e := s.events[step.change]
	s.mu.Unlock()
	runID, tries, err := s.acknowledged(ctx, e)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.note(step, runID, tries, err)
	return nil
}

func (s *sender) note(step step, runID string, tries int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.Events++
	s.counts.Repeated += tries - 1
	if step.again {
		s.counts.Duplicates++
	}
	if err != nil {
		s.refused = append(s.refused, fmt.Sprintf("event %d of %s: %v", step.change, Entity(step.entity), err))
		return
	}
	s.counts.Acknowledged++
	before, known := s.runs[step.change]
	if !known {
		s.order = append(s.order, runID)
	} else if before != runID {
		s.refused = append(s.refused, fmt.Sprintf("event %d of %s: its duplicate became run %s, not %s", step.change, Entity(step.entity), runID, before))
	}
	s.runs[step.change] = runID
}

// since returns the acknowledged runs after the first n.
func (s *sender) since(known int) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.order[known:])
}

func (s *sender) sent() Sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// maxTries limits how often one event is sent until it is acknowledged.
const maxTries = 10

// acknowledged delivers the event until the endpoint accepts it, like an
// operator who resends it under the same key.
func (s *sender) acknowledged(ctx context.Context, e event) (runID string, tries int, err error) {
	for tries = 1; ; tries++ {
		var again bool
		runID, again, err = s.post(ctx, e)
		if err == nil || !again || tries == maxTries {
			return runID, tries, err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return "", tries, ctx.Err()
		}
	}
}

// post delivers once; again reports whether another try can help.
func (s *sender) post(ctx context.Context, e event) (runID string, again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(e.body))
	if err != nil {
		return "", false, err
	}
	if err := sign(req.Header, e, s.signingToken, time.Now()); err != nil {
		return "", false, err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return "", true, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", true, err
	}
	var answer struct {
		RunID string `json:"run_id"`
	}
	if resp.StatusCode != http.StatusAccepted {
		return "", resp.StatusCode >= http.StatusInternalServerError, fmt.Errorf("the endpoint returned %s: %.200s", resp.Status, raw)
	}
	if err := json.Unmarshal(raw, &answer); err != nil || answer.RunID == "" {
		return "", false, errors.Join(err, fmt.Errorf("the endpoint accepted it without a run_id: %.200s", raw))
	}
	return answer.RunID, false, nil
}

// sign sets the same headers as GitLab.
func sign(h http.Header, e event, token string, now time.Time) error {
	signer, err := standardwebhooks.NewWebhook(token)
	if err != nil {
		return fmt.Errorf("signing token: %w", err)
	}
	signature, err := signer.Sign(e.key, now, e.body)
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "GitLab/18.9.0")
	h.Set(delivery.EventHeader, e.name)
	h.Set("Idempotency-Key", e.key)
	h.Set(standardwebhooks.HeaderWebhookID, e.key)
	h.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	h.Set(standardwebhooks.HeaderWebhookSignature, signature)
	return nil
}
