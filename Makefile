# Everything is installed and built under .local/ and .build/. `make` lists the targets.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Without tables for a debugger, linking the tests takes half the time.
LINK := -ldflags='-s -w'
LOCAL := .local/bin/local
CDK := .local/cdk/node_modules/.bin/cdk

# scripts/setup installs Node.js here if this machine's is missing or too old.
export PATH := $(CURDIR)/.local/toolchain/path:$(PATH)

##@ Try it on this machine

.PHONY: demo
demo: setup lore $(LOCAL) ## Start everything, deliver sample webhooks, backfill, reconcile, delete, search, check each result (WAIT=1 until the deletion shows)
	@$(LOCAL) demo $(if $(WAIT),--wait)

.PHONY: up
up: setup lore $(LOCAL) ## Start the stack in the background (GITLAB_BASE_URL and GITLAB_TOKEN for a real GitLab)
	@$(LOCAL) up

.PHONY: status
status: $(LOCAL) ## Show what is running, and where
	@$(LOCAL) status

.PHONY: down
down: $(LOCAL) ## Stop everything that up and demo started
	@$(LOCAL) down

.PHONY: lore
lore: setup-go ## Build the lore CLI into .local/bin/lore
	@go build -buildvcs=false -ldflags "$$(scripts/version)" -o .local/bin/lore ./cmd/lore

.PHONY: logs
logs: $(LOCAL) ## Print the functions' logs (FUNCTION=worker for one function)
	@$(LOCAL) logs $(FUNCTION)

##@ Work on it

# The slowest suites come first, so that none is left to run by itself at the
# end. make model and make nightly explore more of the model.
# Uncached, because Go does not see the sources of the deployed functions.
.PHONY: test
test: setup-test ## Run every test: unit, property, storage, infrastructure, end to end
	@go test $(LINK) -exec $(CURDIR)/scripts/fair -count=1 -p 3 -timeout 15m \
	  ./test/suites/e2e ./test/suites/model ./test/suites/reliability ./...

.PHONY: test-fast
test-fast: ## Test the product packages on the engine in memory, without a browser; reuse cached results
	@scripts/setup check
	@go test $(LINK) -short -p 3 ./cmd/... ./events ./functions/... ./infra/... ./internal/...

# Takes hours. Each part prints its own summary; the first failure ends it.
.PHONY: nightly
nightly: ## Run everything that is too slow for every change: a larger model, the matrix, memory, the contract, mutants, fuzzing, load, bench
	@$(MAKE) model SEQUENCES=$(or $(SEQUENCES),50000)
	@$(MAKE) matrix
	@$(MAKE) memory
	@$(MAKE) races
	@$(MAKE) contract
	@$(MAKE) clients-test
	@$(MAKE) tour
	@$(MAKE) deploy-test
	@$(MAKE) upgrade-test
	@$(MAKE) release-test
	@$(MAKE) mutants
	@$(MAKE) fuzz FUZZTIME=$(or $(FUZZTIME),1m)
	@$(MAKE) load
	@$(MAKE) loss
	@$(MAKE) bench

.PHONY: races
races: setup-test ## Search 10,000 times on OpenSearch while copies change, and requests are delayed, repeated and lost
	@LOREHOOK_FULL_RACES=1 LOREHOOK_REQUIRE_ENGINES=1 go test -count=1 -timeout 180m -v -run ShowsNothing ./internal/search/opensearch | grep -E '^ok|^FAIL|--- FAIL|race'

.PHONY: memory
memory: setup-test ## Measure what the functions need at every limit, of memory and of temporary storage
	@rm -f .local/memory.jsonl
	@LOREHOOK_FULL_MEMORY=1 LOREHOOK_MEMORY_FIGURES=$(CURDIR)/.local/memory.jsonl go test -count=1 -p 1 -timeout 30m -v -run StaysWithin ./internal/worker ./internal/workflow ./internal/api ./internal/webhook ./internal/gitlab ./internal/feed ./internal/console ./internal/search/embedded | grep -E '^ok|^FAIL|--- FAIL|peak|memory_test'

.PHONY: contract
contract: setup-test ## Call the API, in process and deployed, in many ways that its description allows and does not
	@LOREHOOK_FULL_CONTRACT=1 go test -count=1 -timeout 20m -run 'TestTheAPIAnswersAsItsDescriptionSays|TestTheDeployedAPIAnswers' ./internal/api ./test/suites/e2e

.PHONY: tour
tour: ## Follow the README, the deploy guide and the runbooks in a fresh clone of the last commit, with an empty home directory
	@LOREHOOK_FULL_TOUR=1 go test -count=1 -timeout 45m -v ./test/suites/tour | grep --line-buffered -E '^(ok|FAIL|tour:|panic| )|--- FAIL'

.PHONY: clients-test
clients-test: ## Generate clients of the API in Python and TypeScript, compile them, and run the quick starts
	@scripts/setup check clients
	@LOREHOOK_FULL_CLIENTS=1 go test -count=1 -timeout 15m -run TestQuickStart ./test/suites/clients

.PHONY: model
model: setup-test ## Explore random interleavings (SEQUENCES=n, SEED=s)
	@scripts/model $(or $(SEQUENCES),1000) $(or $(SEED),$(shell date +%s))

.PHONY: matrix
matrix: ## Make every call fail in every way, in every scenario, and print a summary
	@LOREHOOK_FULL_MATRIX=1 go test -count=1 -timeout 120m -v -run 'TestWhateverFails|TestWhereverAProcessDiesTheCopy|TestSustainedThrottling|TestFortyKills|TestBackfill_Repeats|TestReconcile_Mends|TestALargeEntity|TestAThrottledCommit|TestThreeStages' ./test/suites/reliability | \
	  grep -E '^ +\| |_test.go:|^ *--- FAIL|^(ok|FAIL|panic)' | sed 's/^ *|/|/'

.PHONY: mutants
mutants: setup-test ## Break one rule at a time and check that a test fails (MUTANTS="name" for some, FAST=1, AGAIN=1)
	@go run ./scripts/mutants $(if $(FAST),-fast) $(if $(AGAIN),-again) $(if $(MUTANTS),"$(MUTANTS)")

.PHONY: lint
lint: ## Check formatting, Go code, English, links, CloudFormation templates, the API's description, shell scripts and known vulnerabilities
	@scripts/lint

.PHONY: docs
docs: ## Write the pages of docs/api from the API's OpenAPI description
	@scripts/setup go
	@go run ./scripts/apidoc

.PHONY: bench
bench: setup-test ## Measure what changes, backfills and censuses cost and how fast the functions are, against floors; print a table and write .local/bench.json (PARTS="webhook start" for some)
	@go run ./scripts/bench $(PARTS)

.PHONY: cost
cost: setup-cdk ## Count what the functions use of AWS, and print what that costs at list prices (UPDATE=1 to write docs/cost.md, RECORDED=1 to count nothing)
	@go run ./scripts/cost $(if $(UPDATE),-update) $(if $(RECORDED),-recorded)

.PHONY: scale
scale: setup-cdk ## Compute what happens under large loads, and which limit comes first (UPDATE=1 to simulate, and write docs/scale.md)
	@go run ./scripts/scale $(if $(UPDATE),-update)

.PHONY: dashboard
dashboard: setup-cdk ## Draw the CloudWatch dashboard of the template from recorded metrics, docs/images/dashboard.png (HTML=file for a page, without Chromium; RECORD=1 to record anew)
	@go run ./scripts/dashboard $(if $(RECORD),-record) $(if $(HTML),-html $(HTML))

.PHONY: eval
eval: ## Measure the quality of search against the baseline (CORPUS=file, QUERIES=file, UPDATE=1, SPEED=1)
	@scripts/setup go minilm
	@go run ./scripts/eval $(if $(CORPUS),-corpus $(CORPUS)) $(if $(QUERIES),-queries $(QUERIES)) $(if $(UPDATE),-update) $(if $(SPEED),-speed)

.PHONY: load
load: setup $(LOCAL) ## Send 20,000 events through a dedicated stack and compare the results (EVENTS, ENTITIES, SEED, RATE)
	@$(LOCAL) load --events $(or $(EVENTS),20000) --entities $(or $(ENTITIES),2000) --seed $(or $(SEED),1) --rate $(or $(RATE),0) $(LOAD_ARGS)

.PHONY: loss
loss: setup $(LOCAL) ## Send 1,000 events through a dedicated stack, lose 30% of them, and compare after one reconcile (EVENTS, ENTITIES, LOST)
	@$(LOCAL) load --events $(or $(EVENTS),1000) --entities $(or $(ENTITIES),200) --lost $(or $(LOST),0.3) --duplicates 0 --faults 0

.PHONY: fuzz
fuzz: ## Run every fuzz target, one after another (FUZZTIME=5s each, FUZZ=regexp)
	@scripts/fuzz $(or $(FUZZTIME),5s) '$(or $(FUZZ),.)'

.PHONY: screenshots
screenshots: demo ## Take the README's screenshots of the operations console (needs Chromium)
	@go run ./scripts/screenshots

.PHONY: build
build: $(LOCAL) ## Compile the functions for this machine
	@$(LOCAL) build

.PHONY: clean
clean: down ## Stop, and remove build output and the local copy (but not installed tools)
	@rm -rf .build .local/ministack .local/demogitlab .local/console .local/load .local/cdk.out .local/run .local/logs .local/*.json .local/bin

##@ Release it

.PHONY: release
release: ## Build what is published of the tagged commit into .build/release (SNAPSHOT=1 for any commit)
	@scripts/setup go
	@go run ./scripts/release build $(if $(SNAPSHOT),--snapshot)

.PHONY: release-test
release-test: ## Build lore for this machine and the functions in two checkouts, and compare and check the releases
	@scripts/setup check spdx
	@LOREHOOK_FULL_RELEASE=1 go test -count=1 -timeout 30m -run TestBuild ./scripts/release

##@ Deploy it to AWS

.PHONY: synth
synth: setup-cdk build-aws ## Write the CloudFormation template to .build/cdk.out
	@$(CDK) synth --quiet --output .build/cdk.out $(CDK_ARGS)
	@echo "The template is in .build/cdk.out."

.PHONY: deploy
deploy: signed-in setup-cdk $(if $(RELEASE),take-functions,build-aws) build-infra ## Deploy to the AWS account of your credentials (RELEASE=dir: the functions of a downloaded release)
	@go run -buildvcs=false ./scripts/deploy up $(CDK_ARGS)

.PHONY: deploy-test
deploy-test: setup-test setup-cdk ## Deploy to the local AWS with the CDK CLI: first failures, updates, no terminal, deletion, and the aws commands of the runbooks and of docs/restoring.md
	@scripts/setup check awscli
	@LOREHOOK_FULL_DEPLOY=1 go test -count=1 -timeout 30m ./scripts/deploy ./test/suites/tour

.PHONY: upgrade-test
upgrade-test: setup-test ## Run the functions of the previous release beside these, in every mixture (FROM=commit for those of another version)
	@LOREHOOK_FULL_UPGRADE=1 LOREHOOK_UPGRADE_FROM=$(FROM) go test -count=1 -timeout 15m -v -run TestUpgrade ./test/suites/upgrade | grep -E '^ok|^FAIL|^panic|--- |_test.go'

.PHONY: destroy
destroy: signed-in setup-cdk build-aws build-infra ## Delete the stack, not its tables (asks; CONFIRM=<stack name> without a terminal)
	@CONFIRM=$(CONFIRM) go run -buildvcs=false ./scripts/deploy down $(CDK_ARGS)

# Before anything is compiled.
.PHONY: signed-in
signed-in:
	@scripts/setup go
	@go run -buildvcs=false ./scripts/deploy check

.PHONY: build-infra
build-infra:
	@go build -buildvcs=false -o .build/infra ./infra

.PHONY: take-functions
take-functions:
	@go run ./scripts/release functions "$(RELEASE)"

.PHONY: build-aws
build-aws: $(LOCAL)
	@$(LOCAL) build --aws

.PHONY: setup
setup:
	@scripts/setup check ministack cdk
	@scripts/setup minilm || echo "  Without the embedding model, search compares words only (mode lexical). The next call tries again."

.PHONY: setup-go
setup-go:
	@scripts/setup go

.PHONY: setup-cdk
setup-cdk:
	@scripts/setup check cdk

.PHONY: setup-test
setup-test:
	@scripts/setup check ministack schemathesis cdk dynamodblocal opensearch browser
	@scripts/setup minilm || echo "  Without the embedding model, its tests are skipped. The next call tries again."

# Go decides whether it is up to date.
.PHONY: $(LOCAL)
$(LOCAL): setup-go
	@[ -x $@ ] || echo "  compiling this project's tools (this takes a while the first time)"
	@go build -buildvcs=false -o $@ ./scripts/local

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## "; printf "Lorehook. Usage: make <target>\n" } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z][a-z-]*:.*## / { printf "  %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
