// Package bucket stores objects in S3.
package bucket

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// ErrNone reports that there is no such object.
var ErrNone = errors.New("there is no such object")

// Listed is an object in a list.
type Listed struct {
	Key      string
	Modified time.Time
	// Bytes and Tag are what [Bucket.Head] returns.
	Bytes int64
	Tag   string
}

// Bucket is one bucket. Its objects never change once they are put: every key is used
// once.
type Bucket struct {
	client *s3.Client
	name   string
}

// New returns the bucket.
func New(client *s3.Client, name string) *Bucket { return &Bucket{client, name} }

// Client returns a client for S3. Checksums are the caller's: see [Bucket.Put]. A local
// endpoint knows buckets by their paths only.
func Client(config aws.Config) *s3.Client {
	return s3.NewFromConfig(config, func(o *s3.Options) {
		o.UsePathStyle = config.BaseEndpoint != nil
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})
}

// Put stores an object, which S3 refuses if its content has another SHA-256. It returns
// S3's tag of the content.
func (b *Bucket) Put(ctx context.Context, key string, body io.ReadSeeker, size int64, sha256 []byte) (string, error) {
	out, err := b.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &b.name, Key: &key, Body: body, ContentLength: &size, ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(sha256)),
	})
	if err != nil {
		return "", fmt.Errorf("put object %s: %w", key, err)
	}
	return tag(out.ETag), nil
}

// Get opens an object. The error of one that does not exist is [ErrNone].
func (b *Bucket) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &key})
	if err != nil {
		return nil, failure("get", key, err)
	}
	return out.Body, nil
}

// Head returns the size and the tag of an object.
func (b *Bucket) Head(ctx context.Context, key string) (int64, string, error) {
	out, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: &key})
	if err != nil {
		return 0, "", failure("head", key, err)
	}
	return aws.ToInt64(out.ContentLength), tag(out.ETag), nil
}

// maxDeleted is how many objects one request deletes at most.
const maxDeleted = 1000

// Delete deletes objects; objects that do not exist are ignored.
func (b *Bucket) Delete(ctx context.Context, keys ...string) error {
	for some := range slices.Chunk(keys, maxDeleted) {
		named := make([]types.ObjectIdentifier, len(some))
		for i := range some {
			named[i] = types.ObjectIdentifier{Key: &some[i]}
		}
		out, err := b.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &b.name, Delete: &types.Delete{Objects: named, Quiet: aws.Bool(true)}})
		if err != nil {
			return fmt.Errorf("delete %d objects: %w", len(some), err)
		}
		if len(out.Errors) > 0 {
			first := out.Errors[0]
			return fmt.Errorf("delete %d objects: %d failed, the first with %s", len(some), len(out.Errors), aws.ToString(first.Code))
		}
	}
	return nil
}

// List yields every object.
func (b *Bucket) List(ctx context.Context) iter.Seq2[Listed, error] {
	return func(yield func(Listed, error) bool) {
		pages := s3.NewListObjectsV2Paginator(b.client, &s3.ListObjectsV2Input{Bucket: &b.name})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(Listed{}, fmt.Errorf("list objects: %w", err))
				return
			}
			for _, o := range page.Contents {
				if !yield(Listed{Key: aws.ToString(o.Key), Modified: aws.ToTime(o.LastModified), Bytes: aws.ToInt64(o.Size), Tag: tag(o.ETag)}, nil) {
					return
				}
			}
		}
	}
}

// failure tells a missing object from other failures. S3 answers HEAD without a body,
// so there is no code to compare.
func failure(verb, key string, err error) error {
	var answer *awshttp.ResponseError
	var missing *types.NoSuchKey
	if errors.As(err, &missing) || errors.As(err, &answer) && answer.HTTPStatusCode() == http.StatusNotFound {
		return fmt.Errorf("%s object %s: %w", verb, key, ErrNone)
	}
	return fmt.Errorf("%s object %s: %w", verb, key, err)
}

func tag(etag *string) string { return strings.Trim(aws.ToString(etag), `"`) }
