package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
)

// newIndexBucket makes the bucket of the search index. Everything in it can be rebuilt
// from the tables. It keeps no versions, so that what is deleted is gone: the indexer
// deletes what no manifest names. Like the tables, it outlives the stack unless its
// creation failed.
func newIndexBucket(st *stack) awss3.Bucket {
	bucket := awss3.NewBucket(st.Stack, jsii.String("IndexBucket"), &awss3.BucketProps{
		Encryption:        awss3.BucketEncryption_S3_MANAGED,
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		EnforceSSL:        jsii.Bool(st.tls()),
		Versioned:         jsii.Bool(false),
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		LifecycleRules: &[]*awss3.LifecycleRule{{
			Id: jsii.String("AbortUploads"), AbortIncompleteMultipartUploadAfter: awscdk.Duration_Days(jsii.Number(1)),
		}},
		RemovalPolicy: awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE,
	})
	st.suppress(bucket, "AwsSolutions-S1", "Only two functions of this stack read the bucket; an access log would be a second bucket that names what they read.")
	if !st.tls() {
		st.suppress(bucket, "AwsSolutions-S10", plainHTTP)
	}
	return bucket
}

// indexID is the bucket's id in the template.
func (st *stack) indexID() string {
	return *st.GetLogicalId(st.index.Node().DefaultChild().(awss3.CfnBucket))
}
