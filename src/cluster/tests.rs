//! Tests of the core: two cores, or one core and hand-made messages.
