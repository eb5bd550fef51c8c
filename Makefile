# Two commands do everything on a fresh Debian machine that has cargo:
#   make demo    build, and run the main job in private network namespaces
#   make test    run every test
# Both install the packages they need first, if they are missing (as root, or through sudo).

CARGO ?= cargo
PACKAGES := build-essential pkg-config libmnl-dev libnftnl-dev nftables iptables conntrack iproute2

.PHONY: all packages build demo test lint check bench install clean

all: build

packages:
	@tools/packages $(PACKAGES)

build: packages
	$(CARGO) build --release --package rulectl

demo: packages
	$(CARGO) build --quiet --release --package rulectl --package rulectl-tests --bins
	@target/release/demo target/release/rulectl

test: packages
	$(CARGO) build --workspace --bins --examples
	$(CARGO) test --workspace --no-fail-fast

lint: packages
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- --deny warnings
	RUSTDOCFLAGS='--deny warnings' $(CARGO) doc --workspace --no-deps --quiet

check: lint test

bench: packages
	benches/ratios

clean:
	$(CARGO) clean
