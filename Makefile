# make          builds hbd, hbctl and hbd-witness
# make demo     two real machines, one fails, the other serves; with ACTIVE=2 both serve until then
# make test     everything, as .ci/run does
# make deb      dist/hbd_VERSION_ARCH.deb, hbd-witness_VERSION_ARCH.deb, hbd-heartbeat-compat_VERSION_all.deb and
#               cockpit-hbd_VERSION_all.deb
# make rpm      the same as RPM
# make lint-packages   both, and what lintian, rpmlint, mandoc and groff say about them
# make debian13 the smoke on Debian 13: what differs most from 12, with the real Heartbeat of 13, and with dbus-broker; two
#               minutes. HBD_LAB_SUITE=trixie make test plays everything there
# make cockpit  the page in Cockpit, driven in a Chromium: a failover, a move, a user without rights; two minutes
# make automation   the role for Ansible makes a pair; cloud-init and the firewalls read what is for them; two minutes
# make arm64    whether it compiles for aarch64-unknown-linux-gnu; installs that target and a C compiler for it
# make interop  the long campaign: hbd and a real Heartbeat in every pairing; ONLY="word word" selects
# make compare  hbd beside keepalived, Pacemaker, Heartbeat and ucarp: docs/COMPARISON.md; ROUNDS=3, ONLY="word word"
# make nemesis MINUTES=30 SEED=n   two real nodes under random faults and acts of administration; ONLY="words" selects
# make witness  every test with an etcd, also those that take long: an hour's heartbeats without it, frozen machines
# make last-release   a pair of which one node has the last release, and is updated: builds that first
# make watchdog a machine in QEMU with a real kernel watchdog: who resets it; about three minutes
# make interfaces   virtual addresses on a VLAN, a bond, a bridge, a macvlan and in a VRF, in the same machine
# make storage  two machines in QEMU with DRBD: what a client was told is written is there after every failure
# make bench    hbd against keepalived: how long until the addresses are announced, and what a planned move costs;
#               and what hbd takes while nothing happens, beside keepalived and Heartbeat
# make simulate N=100000   a long campaign of simulated clusters
# make explore  every order of a few events, for two groups and for a vote; prints how many situations
# make golden   renews the golden trace after a change of the core's decisions (tests/simulation/golden)
# make fuzz SECONDS=600    cargo-fuzz on the parsers and the decoder; installs a nightly compiler and cargo-fuzz
# make deny     licences and sources of the dependencies; known vulnerabilities where the database can be reached
# make handbook   docs/handbook as HTML in target/handbook, with a search; installs mdbook where it is missing (minutes)
# make msrv     whether the compiler that Cargo.toml names as the oldest would do
# make install  into DESTDIR
#
# demo and test install what they need with apt-get and call sudo where they are not run by root.

DESTDIR =
CARGO = cargo
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo -E)
TARGET = $(or $(CARGO_TARGET_DIR),target)
RELEASE = $(TARGET)/release
UNITDIR = $(DESTDIR)/usr/lib/systemd/system
DOCDIR = $(DESTDIR)/usr/share/doc/hbd
MANDIR = $(DESTDIR)/usr/share/man
# Man pages and completions, made by hbctl from its own tables.
GENERATED = $(TARGET)/generated
# Where zsh looks: vendor-completions on Debian, site-functions elsewhere.
ZSHDIR = $(DESTDIR)/usr/share/zsh/vendor-completions
SAY = @printf '\n== %(%T)T %s\n' -1
# For printf's clock.
SHELL = /bin/bash

.PHONY: witness all toolchain build deb rpm lint-packages cockpit automation arm64 watchdog interfaces storage demo test debian13 bases13 smoke13 bench interop compare nemesis last-release check deny msrv prepare bases simulate explore golden fuzz handbook install install-witness install-compat install-cockpit install-selinux clean

all: build

# Before anything else: a machine whose Rust is too old is told what helps.
toolchain:
	@CARGO=$(CARGO) tests/toolchain/ready

build: toolchain
	$(CARGO) build --release --bins --locked --package hbd --package hbd-witness

deb: build
	packaging/deb/build

rpm: build
	packaging/rpm/build

lint-packages: prepare
	$(SAY) "the packages, and what their checkers say"
	@$(MAKE) --no-print-directory deb rpm >/dev/null
	@packaging/lint

prepare: toolchain
	@tests/lab/prepare

# The root file systems of the lab's nodes: made once, kept in /var/cache/hbd-lab.
bases: prepare
	@$(SUDO) tests/lab/base plain >/dev/null
	@$(SUDO) tests/lab/base heartbeat >/dev/null

bases13: prepare
	@HBD_LAB_SUITE=trixie $(SUDO) tests/lab/base plain >/dev/null
	@HBD_LAB_SUITE=trixie $(SUDO) tests/lab/base heartbeat >/dev/null
	@HBD_LAB_SUITE=trixie HBD_LAB_BUS=broker $(SUDO) tests/lab/base plain >/dev/null

demo: prepare
	@$(SUDO) true
	$(SAY) "building hbd, and the nodes' root file system where there is none yet"
	@$(SUDO) tests/lab/base plain >/dev/null & base=$$!; \
	$(MAKE) --no-print-directory deb && $(CARGO) build --package hbd-lab --bin demo && wait $$base
	$(SAY) "two machines"
	@$(SUDO) $(TARGET)/debug/demo $(if $(filter 2,$(ACTIVE)),active)

# The lab's tests start programs as root, the others do not. Most of a lab's time is waiting: three of them at once, of
# which one is heard while it runs, the others when it has finished. The smoke on Debian 13 follows the shortest of them.
# A short nemesis runs beside them, and is heard when it has found something: as they do, it starts when the packages are
# complete. Its seed is the same each time, and so are its acts; real time is not. Long campaigns choose other seeds.
NEMESIS = --minutes 5 --seed 7
test: RUNNER = $(shell rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
test: LAB = $(if $(SUDO),CARGO_TARGET_$(RUNNER)_RUNNER="$(SUDO)") $(CARGO) test --no-fail-fast --package hbd-lab
test: prepare
	$(SAY) "the nodes' root file systems are made meanwhile, where there are none yet"
	@{ $(MAKE) --no-print-directory bases bases13 || echo "lab: no root file systems; its tests will fail" >&2; } & bases=$$!; \
	$(MAKE) --no-print-directory check lint-packages; status=$$?; wait $$bases; exit $$status
	$(SAY) "the laboratory: real nodes"
	$(LAB) --no-run
	$(CARGO) build --profile test --package hbd-nemesis
	@HBD_LAB_PREFIX=$${HBD_LAB_PREFIX:-hbd}6 $(SUDO) $(TARGET)/debug/nemesis $(NEMESIS) >$(TARGET)/nemesis.log 2>&1 & fourth=$$!; \
	{ HBD_LAB_PREFIX=$${HBD_LAB_PREFIX:-hbd}2 $(LAB) --test lab --test media --test stonith; status=$$?; \
	$(MAKE) --no-print-directory smoke13 || status=$$?; exit $$status; } >$(TARGET)/lab.log 2>&1 & second=$$!; \
	HBD_LAB_PREFIX=$${HBD_LAB_PREFIX:-hbd}3 HBD_LAB_SHARE=2/2 $(LAB) --test daemon >$(TARGET)/daemon.log 2>&1 & third=$$!; \
	HBD_LAB_SHARE=1/2 $(LAB) --lib --bins --test daemon; status=$$?; wait $$third || status=$$?; wait $$second || status=$$?; \
	cat $(TARGET)/daemon.log $(TARGET)/lab.log; \
	if wait $$fourth; then tail -n 2 $(TARGET)/nemesis.log; else status=$$?; cat $(TARGET)/nemesis.log; fi; exit $$status

# What differs most between two Debians: the packages, systemd, the bus, networkd and the real Heartbeat.
SMOKE_DAEMON = package:: install::nothing first_evening::from_two bus:: unit_lives::every_wish unit_lives::a_stop_without \
	networkd strangers::proxy_arp
SMOKE_LAB = hbd_hbd::crash_of_the_owner hbd_heartbeat::crash_of_the_owner heartbeat_hbd::crash_of_the_owner \
	hbd_heartbeat::planned_moves_asked_for_on_the_owner heartbeat_hbd::return_and_failback
SMOKE_BROKER = bus::a_failover unit_ends::systemd_and_the_bus

debian13: bases13 deb
	$(SAY) "the smoke on Debian 13: about two minutes"
	@$(MAKE) --no-print-directory smoke13

smoke13: RUNNER = $(shell rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
smoke13: LAB = $(if $(SUDO),CARGO_TARGET_$(RUNNER)_RUNNER="$(SUDO)") $(CARGO) test --package hbd-lab
smoke13:
	@export HBD_LAB_SUITE=trixie; own=$${HBD_LAB_PREFIX:-hbd}; $(LAB) --no-run --test lab --test daemon || exit; \
	{ HBD_LAB_PREFIX=$${own}4 $(LAB) --test lab -- $(SMOKE_LAB); status=$$?; \
	HBD_LAB_PREFIX=$${own}4 HBD_LAB_BUS=broker $(LAB) --test daemon -- $(SMOKE_BROKER) || status=$$?; exit $$status; } \
		>$(TARGET)/smoke13.log 2>&1 & other=$$!; \
	HBD_LAB_PREFIX=$${own}5 $(LAB) --test daemon -- $(SMOKE_DAEMON); status=$$?; \
	wait $$other || status=$$?; cat $(TARGET)/smoke13.log; exit $$status

# Where HBD_LAB_SCREENSHOTS names a directory, the pictures of the handbook are made there.
cockpit: RUNNER = $(shell rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
cockpit: prepare deb
	@$(SUDO) tests/lab/prepare chromium
	@$(SUDO) tests/lab/base plain >/dev/null
	@$(SUDO) tests/lab/base cockpit >/dev/null
	@$(if $(SUDO),CARGO_TARGET_$(RUNNER)_RUNNER="$(SUDO)") $(CARGO) test --package hbd-lab --test cockpit

# The role for Ansible, the user data for cloud-init and the services of the firewalls, where those are installed.
automation: RUNNER = $(shell rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
automation: prepare deb
	@$(SUDO) tests/lab/base automation >/dev/null
	@$(if $(SUDO),CARGO_TARGET_$(RUNNER)_RUNNER="$(SUDO)") $(CARGO) test --package hbd-lab --test automation

# Another architecture, as far as a compiler for it can tell: nothing of it runs here.
ARM64 = aarch64-unknown-linux-gnu
arm64: toolchain
	@rustup target list --installed | grep -q '^$(ARM64)$$' || rustup target add $(ARM64)
	@command -v aarch64-linux-gnu-gcc >/dev/null || $(SUDO) apt-get install -qq -y --no-install-recommends gcc-aarch64-linux-gnu libc6-dev-arm64-cross
	$(CARGO) check --workspace --bins --locked --target $(ARM64)

interop: prepare
	@$(SUDO) true
	@$(MAKE) --no-print-directory bases & bases=$$!; \
	$(MAKE) --no-print-directory deb && $(CARGO) build --package hbd-interop && wait $$bases
	$(SAY) "the campaign: about 40 minutes"
	@$(SUDO) $(TARGET)/debug/interop $(ONLY)

# A run that plays everything writes docs/COMPARISON.md; with ONLY it prints. What was printed is kept: with
# `compare --from LOG LOG` the document is made of several runs.
compare: ROUNDS = 3
compare: prepare
	@$(SUDO) true
	@$(SUDO) tests/lab/base peers >/dev/null & base=$$!; \
	$(MAKE) --no-print-directory deb && $(CARGO) build --package hbd-compare && wait $$base
	$(SAY) "the comparison: about 25 minutes a round"
	@set -o pipefail; $(SUDO) $(TARGET)/debug/compare --rounds $(ROUNDS) $(ONLY) | tee $(TARGET)/compare.log

# Every finding is kept in target/nemesis. ONLY="words" selects acts whose name contains one of them; ROUND=n begins with
# that round of the seed; WITNESS=1 gives the pair an etcd.
nemesis: MINUTES = 30
nemesis: SEED = 1
nemesis: ROUND = 0
nemesis: prepare
	@$(SUDO) true
	@$(MAKE) --no-print-directory bases & bases=$$!; \
	$(MAKE) --no-print-directory deb >/dev/null && $(CARGO) build --quiet --package hbd-nemesis && wait $$bases
	$(SAY) "the nemesis: $(MINUTES) minutes"
	@$(SUDO) $(TARGET)/debug/nemesis --minutes $(MINUTES) --seed $(SEED) --first $(ROUND) $(if $(WITNESS),--witness) $(ONLY)

witness: prepare deb
	@$(SUDO) tests/lab/base plain >/dev/null
	@$(if $(SUDO),CARGO_TARGET_$(RUNNER)_RUNNER="$(SUDO)") $(CARGO) test --package hbd-lab --test daemon -- witness

# The commit of version 0.1.0, before groups moved one by one.
LAST_RELEASE = 4d5b292
last-release: prepare deb
	@$(SUDO) true
	@[ -d $(TARGET)/last-release ] || git clone --quiet . $(TARGET)/last-release
	@git -C $(TARGET)/last-release checkout --quiet $(LAST_RELEASE)
	$(SAY) "the package of the last release"
	@$(MAKE) --no-print-directory -C $(TARGET)/last-release deb
	@$(SUDO) tests/lab/base plain >/dev/null
	@package=$$(ls $(CURDIR)/$(TARGET)/last-release/dist/hbd_*.deb) && \
		HBD_LAST_RELEASE=$$package $(CARGO) test --package hbd-lab --test daemon -- groups::the_last_release

# Most of the unit tests' time is waiting, so there are more of them at once than processors.
check: toolchain
	$(SAY) "format, lints, documentation"
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps
	$(SAY) "units and scripts"
	tests/lab/check-unit
	tests/toolchain/check
	$(SAY) "unit tests and simulation"
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-4} $(CARGO) test --workspace --exclude hbd-lab

watchdog: prepare deb
	$(SAY) "a kernel watchdog in QEMU"
	@$(SUDO) tests/vm/machine systemd hbd reboot

interfaces: prepare deb
	$(SAY) "every kind of network interface in QEMU"
	@tests=$$($(CARGO) test --lib --no-run 2>&1 | sed -n 's/.*Executable.*(\(.*\))/\1/p') && \
		$(SUDO) env HBD_UNIT_TESTS="$$tests" tests/vm/machine interfaces

# Rounds are chosen with ROUNDS="move poweroff".
storage: prepare deb
	$(SAY) "two machines with DRBD in QEMU"
	@$(SUDO) tests/vm/storage $(ROUNDS)

# Needs root, as the lab does.
bench: RUNNER = $(shell rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
bench: prepare
	@command -v keepalived >/dev/null 2>&1 || [ -x /usr/sbin/keepalived ] || $(SUDO) apt-get install -qq -y --no-install-recommends keepalived
	@$(if $(SUDO),CARGO_TARGET_$(RUNNER)_RUNNER="$(SUDO)") $(CARGO) bench --bench addresses
	@$(if $(SUDO),CARGO_TARGET_$(RUNNER)_RUNNER="$(SUDO)") $(CARGO) bench --bench flood
	@$(SUDO) tests/lab/base plain >/dev/null
	@$(MAKE) --no-print-directory deb >/dev/null
	@$(if $(SUDO),CARGO_TARGET_$(RUNNER)_RUNNER="$(SUDO)") $(CARGO) run --quiet --package hbd-lab --bin moves
	@$(SUDO) tests/lab/base heartbeat >/dev/null
	@$(if $(SUDO),CARGO_TARGET_$(RUNNER)_RUNNER="$(SUDO)") $(CARGO) run --quiet --package hbd-lab --bin footprint

# cargo-deny is installed where it is missing (minutes). Known vulnerabilities come from a database on the network;
# where it cannot be fetched that is said, and nothing else fails for it.
deny: toolchain
	@command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny
	$(CARGO) deny --workspace check bans licenses sources
	@$(CARGO) deny --workspace fetch db >/dev/null 2>&1 || { echo "deny: the database of vulnerabilities cannot be reached; not asked"; exit 0; } && \
		$(CARGO) deny --workspace check advisories

msrv: toolchain
	@CARGO=$(CARGO) tests/toolchain/oldest

# Where one breaks an invariant: HBD_SEED=that make simulate tells its story.
simulate: N = 100000
simulate: toolchain
	HBD_SCHEDULES=$(N) $(CARGO) test --release --test simulation random_schedules -- --nocapture

# Every order of events in the small: two groups that move, fail and are cut off; a vote that is cut off and mended.
explore: DEPTH = 10
explore: SECONDS_AND_EVENTS = 12
explore: EVENTS = 4
explore: toolchain
	time HBD_DEPTH=$(DEPTH) HBD_SECONDS=$(SECONDS_AND_EVENTS) HBD_EVENTS=$(EVENTS) \
		$(CARGO) test --release --test simulation in_every_order -- --nocapture

# The commit that changes it says which decisions changed and why.
golden: toolchain
	HBD_GOLDEN=renew $(CARGO) test --test simulation
	git diff --stat -- tests/simulation/golden

# What it finds is kept in fuzz/artifacts. CI plays the kept corpora and mutations of them on any compiler (cargo
# test).
fuzz: SECONDS = 600
fuzz: toolchain
	@rustup run nightly rustc --version >/dev/null 2>&1 || rustup toolchain install nightly --profile minimal
	@cargo fuzz --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-fuzz
	for target in datagram sealed files; do $(CARGO) +nightly fuzz run $$target -- -max_total_time=$(SECONDS) || exit 1; done

handbook:
	@PATH="$(HOME)/.cargo/bin:$$PATH"; command -v mdbook >/dev/null || $(CARGO) install --locked mdbook; mdbook build docs/handbook

install:
	rm -rf $(GENERATED)
	$(RELEASE)/hbctl generate $(GENERATED)
	gzip -9n $(GENERATED)/man/*
	install -D -m 644 -t $(MANDIR)/man5 $(GENERATED)/man/*.5.gz
	install -D -m 644 -t $(MANDIR)/man8 $(GENERATED)/man/*.8.gz
	install -D -m 644 -t $(DESTDIR)/usr/share/bash-completion/completions $(GENERATED)/bash/*
	install -D -m 644 -t $(ZSHDIR) $(GENERATED)/zsh/*
	install -D -m 644 -t $(DESTDIR)/usr/share/fish/vendor_completions.d $(GENERATED)/fish/*
	install -D -m 755 $(RELEASE)/hbd $(DESTDIR)/usr/sbin/hbd
	install -D -m 755 $(RELEASE)/hbctl $(DESTDIR)/usr/bin/hbctl
	install -D -m 644 units/hbd.service $(UNITDIR)/hbd.service
	install -D -m 644 units/hbd-metrics.socket $(UNITDIR)/hbd-metrics.socket
	install -D -m 644 units/hbd-metrics.service $(UNITDIR)/hbd-metrics@.service
	install -D -m 644 units/hbd-group.target $(UNITDIR)/hbd-group@.target
	install -D -m 644 units/heartbeat.conf $(UNITDIR)/heartbeat.service.d/hbd.conf
	install -D -m 644 units/hbd.tmpfiles.conf $(DESTDIR)/usr/lib/tmpfiles.d/hbd.conf
	for page in hbd.toml.5 hbd-haresources.5 hbd-authkeys.5 org.hbd1.5 hbd-migration.7; do \
		install -d $(MANDIR)/man$${page##*.}; \
		gzip -9n <man/$$page >$(MANDIR)/man$${page##*.}/$$page.gz; \
		chmod 644 $(MANDIR)/man$${page##*.}/$$page.gz; \
	done
	install -D -m 644 packaging/hbd.sysusers.conf $(DESTDIR)/usr/lib/sysusers.d/hbd.conf
	install -D -m 644 dbus/org.hbd1.policy $(DESTDIR)/usr/share/polkit-1/actions/org.hbd1.policy
	install -D -m 644 packaging/hbd.rules $(DESTDIR)/usr/share/polkit-1/rules.d/hbd.rules
	install -D -m 644 -t $(DESTDIR)/usr/share/dbus-1/interfaces dbus/org.hbd1.*.xml
	install -D -m 644 -t $(DOCDIR)/examples/seed-centos65 tests/examples/seed-centos65/*
	install -D -m 644 -t $(DOCDIR)/examples/seed-fedora8 tests/examples/seed-fedora8/*
	install -D -m 644 packaging/examples/hbd-mail.service $(DOCDIR)/examples/hbd-mail@.service
	install -D -m 644 packaging/examples/pair.toml $(DOCDIR)/examples/pair.toml
	install -D -m 644 packaging/examples/active-active.toml $(DOCDIR)/examples/active-active.toml
	install -D -m 644 -t $(DOCDIR)/examples/prometheus packaging/examples/prometheus/*
	install -D -m 644 -t $(DOCDIR)/examples/selinux packaging/selinux/*
	install -D -m 644 packaging/examples/cloud-init/pair.yml $(DOCDIR)/examples/cloud-init/pair.yml
	install -d $(DOCDIR)/examples/ansible
	cp -r packaging/examples/ansible/. $(DOCDIR)/examples/ansible
	chmod -R u=rwX,go=rX $(DOCDIR)/examples/ansible
	install -D -m 644 -t $(DESTDIR)/usr/lib/firewalld/services packaging/firewall/hbd.xml packaging/firewall/hbd-metrics.xml
	install -D -m 644 packaging/firewall/hbd.ufw $(DESTDIR)/etc/ufw/applications.d/hbd
	install -D -m 644 -t $(DOCDIR)/examples/drbd packaging/examples/drbd/*
	install -D -m 755 packaging/examples/notify-mail $(DOCDIR)/examples/notify-mail
	install -D -m 755 packaging/examples/move-aws $(DOCDIR)/examples/move-aws
	install -D -m 755 packaging/examples/bus-move $(DOCDIR)/examples/bus-move
	install -D -m 755 packaging/examples/bus-status $(DOCDIR)/examples/bus-status
	install -D -m 644 packaging/hbd.catalog $(DESTDIR)/usr/lib/systemd/catalog/hbd.catalog
	install -D -m 644 dbus/org.hbd1.conf $(DESTDIR)/usr/share/dbus-1/system.d/org.hbd1.conf
	# It may get passwords of fencing devices.
	install -D -m 600 packaging/hbd.toml $(DESTDIR)/etc/hbd/hbd.toml
	install -D -m 644 packaging/needrestart.conf $(DESTDIR)/etc/needrestart/conf.d/hbd.conf
	install -d $(DESTDIR)/etc/hbd/hbd.toml.d $(DESTDIR)/etc/ha.d
	install -D -m 644 LICENSE-MIT $(DOCDIR)/LICENSE-MIT
	install -D -m 644 LICENSE-APACHE $(DOCDIR)/LICENSE-APACHE
	packaging/notices | gzip -9n >$(GENERATED)/NOTICES.gz
	install -D -m 644 $(GENERATED)/NOTICES.gz $(DOCDIR)/NOTICES.gz
	for page in README.md SECURITY.md CONTRIBUTING.md CHANGELOG.md RELEASE.md $$(find docs -name '*.md'); do \
		install -D -m 644 $$page $(DOCDIR)/$$page || exit 1; \
	done

# Asks the witness: a package of its own, for those who have one.
install-witness:
	install -D -m 755 $(RELEASE)/hbd-witness $(DESTDIR)/usr/libexec/hbd-witness
	install -D -m 644 -t $(UNITDIR) units/hbd-witness.socket units/hbd-witness.service
	install -d $(MANDIR)/man8 $(GENERATED) $(DESTDIR)/usr/share/doc/hbd-witness
	gzip -9n <man/hbd-witness.8 >$(MANDIR)/man8/hbd-witness.8.gz
	chmod 644 $(MANDIR)/man8/hbd-witness.8.gz
	packaging/notices hbd-witness | gzip -9n >$(GENERATED)/NOTICES-witness.gz
	install -m 644 $(GENERATED)/NOTICES-witness.gz $(DESTDIR)/usr/share/doc/hbd-witness/NOTICES.gz

# The page in Cockpit, as it stands in the sources: nothing is compiled or fetched.
install-cockpit:
	install -D -m 644 -t $(DESTDIR)/usr/share/cockpit/hbd packaging/cockpit/*

# The policy module, compiled: needs checkmodule and semodule_package. The sources are among the examples.
install-selinux:
	install -d $(GENERATED)
	checkmodule -M -m -o $(GENERATED)/hbd.mod packaging/selinux/hbd.te
	semodule_package -o $(GENERATED)/hbd.pp -m $(GENERATED)/hbd.mod -f packaging/selinux/hbd.fc
	install -D -m 644 $(GENERATED)/hbd.pp $(DESTDIR)/usr/share/selinux/packages/hbd.pp
	install -D -m 644 packaging/selinux/hbd.if $(DESTDIR)/usr/share/selinux/devel/include/contrib/hbd.if

# Heartbeat's own commands: links to hbctl, which knows them by name.
install-compat:
	install -d $(DESTDIR)/usr/bin $(DESTDIR)/usr/sbin $(DESTDIR)/usr/share/heartbeat $(UNITDIR) $(MANDIR)/man1 $(MANDIR)/man5 $(MANDIR)/man8
	ln -sfn hbctl $(DESTDIR)/usr/bin/cl_status
	ln -sfn ../bin/hbctl $(DESTDIR)/usr/sbin/heartbeat
	ln -sfn ../../bin/hbctl $(DESTDIR)/usr/share/heartbeat/hb_standby
	ln -sfn ../../bin/hbctl $(DESTDIR)/usr/share/heartbeat/hb_takeover
	ln -sfn hbd.service $(UNITDIR)/heartbeat.service
	for page in cl_status.1 hb_standby.1 heartbeat.8; do \
		gzip -9n <man/$$page >$(MANDIR)/man$${page##*.}/$$page.gz; \
		chmod 644 $(MANDIR)/man$${page##*.}/$$page.gz; \
	done
	ln -sfn hb_standby.1.gz $(MANDIR)/man1/hb_takeover.1.gz
	# Beside this package there is no Heartbeat, which has pages of these names.
	for page in ha.cf authkeys haresources; do ln -sfn hbd-$$page.5.gz $(MANDIR)/man5/$$page.5.gz; done

clean:
	$(CARGO) clean
	rm -rf dist
