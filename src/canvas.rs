//! A view of the tokens of a batch: segments, position kinds, the mask token, keys.

use crate::constraints::Constraints;
use crate::error::{Error, shape};
use crate::policy::Policy;
use crate::rng::Key;
use bytemuck::{Pod, Zeroable};
use core::ops::Deref;

/// What a position is, one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Pod, Zeroable)]
#[repr(transparent)]
pub struct PositionKind(pub u8);

impl PositionKind {
    /// Given by the user; never changed.
    pub const FIXED: Self = Self(0);
    /// Still to be revealed.
    pub const MASKED: Self = Self(1);
    /// Revealed by a step; a later step may change it if its policy says so.
    pub const COMMITTED: Self = Self(2);
    /// Not part of the sequence (padding, beyond the end).
    pub const INACTIVE: Self = Self(3);
}

/// What is known of a position's token, kept by the caller from step to step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct PositionState {
    /// The step of its segment in which the position got its token, counted from 1; 0 if it has none
    /// from a step: the step map of a generation.
    pub step: u32,
    /// The token's probability in that step, in the law of the policy's
    /// [`Score`](crate::policy::Score); 0 if that was not computed.
    pub probability: f32,
    /// Of a masked position, for how many steps in a row its law has hardly changed
    /// ([`Select::Stable`](crate::Select::Stable)); else 0.
    pub stable: u32,
    /// The most likely token of the position in step `step`, where that was computed; else 0.
    pub argmax: i32,
}

/// The active window of one request: positions `begin..end` of the canvas, and the state of its
/// decoding. Everything may differ between the segments of one canvas.
///
/// `Segment::default()` with `begin` and `end` set is the start of a decoding with policy 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Segment {
    /// The first position.
    pub begin: u32,
    /// One past the last position.
    pub end: u32,
    /// The seed of the request, see [`Key`].
    pub seed: u64,
    /// The id of the request, see [`Key`].
    pub stream: u64,
    /// How many steps have been made; every step adds one.
    pub step: u32,
    /// The index of the segment's policy among the policies of the canvas.
    pub policy: u32,
    /// The position of `begin` within the request, for a request decoded window by window.
    pub origin: u32,
    /// The natural logarithm of the masked fraction 1 − α at the current time, for first-hitting
    /// policies: 0 at the start, falling with every step that reveals something. With
    /// [`Select::PredrawnBernoulli`](crate::Select::PredrawnBernoulli), of the probability to be
    /// still masked. Other policies do not look at it.
    pub log_masked: f64,
    /// How many masks the segment had at its first step, on which sizes depend. 0 is the number that
    /// it has now; the next step writes it here.
    pub initial_masks: u32,
    /// ln(1 − α) at the time of the latest network output, for extrapolating policies; 0 before the
    /// first one.
    pub output_log_masked: f64,
    /// How many positions the latest step revealed.
    pub revealed: u32,
    /// How many steps in a row have changed nothing: no position, or, where all positions are looked
    /// at anew in every step, the likeliest token of none.
    pub settled: u32,
    /// How many steps have been made that began without a mask.
    pub extra_steps: u32,
    /// The mean entropy of the rows of the latest step in nats; 0 if that was not computed.
    pub mean_entropy: f64,
}

impl Segment {
    /// The key of this segment's own choices at its current step.
    pub(crate) fn key(&self) -> Key {
        Key { seed: self.seed, stream: self.stream, step: self.step, position: 0 }
    }

    /// The key of canvas position `at` at the segment's current step.
    pub(crate) fn position_key(&self, at: u32) -> Key {
        Key { position: self.origin.wrapping_add(at - self.begin), ..self.key() }
    }

    /// The canvas position whose key has this position.
    pub(crate) fn canvas_position(&self, position: u32) -> u32 {
        self.begin + position.wrapping_sub(self.origin)
    }
}

/// Memory of a canvas. That of a canvas which nobody steps may be only read, also by others meanwhile.
#[derive(Debug)]
pub(crate) enum Memory<'a, T> {
    Written(&'a mut [T]),
    #[cfg(feature = "capi")]
    Read(&'a [T]),
}

impl<T> Memory<'_, T> {
    /// The elements; none where they are only read.
    fn written(&mut self) -> &mut [T] {
        match self {
            Self::Written(all) => all,
            #[cfg(feature = "capi")]
            Self::Read(_) => &mut [],
        }
    }
}

impl<T> Deref for Memory<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::Written(all) => all,
            #[cfg(feature = "capi")]
            Self::Read(all) => all,
        }
    }
}

/// The tokens of a batch, changed in place by a step.
#[derive(Debug)]
pub struct Canvas<'a> {
    tokens: Memory<'a, i32>,
    kinds: Option<Memory<'a, PositionKind>>,
    states: Option<Memory<'a, PositionState>>,
    constraints: Constraints<'a>,
    /// What multiplies the score of each position, and what is added to it.
    priors: [&'a [f32]; 2],
    mask_token: i32,
    segments: &'a mut [Segment],
    policies: &'a [Policy<'a>],
}

impl<'a> Canvas<'a> {
    /// A view of `tokens` in which a position is masked if it holds `mask_token`.
    ///
    /// Segments stand in ascending order and do not overlap; positions outside of them are never
    /// touched. `mask_token` is never drawn; a value outside the vocabulary (−1, say) is fine.
    ///
    /// # Errors
    /// A segment out of range or order, its policy index past `policies`, its `step` at the end of
    /// its range, its `log_masked` or `output_log_masked` above 0 or NaN, its `mean_entropy` below 0
    /// or NaN, or a policy with a parameter out of range.
    pub fn new(
        tokens: &'a mut [i32],
        mask_token: i32,
        segments: &'a mut [Segment],
        policies: &'a [Policy<'a>],
    ) -> Result<Self, Error> {
        Self::over(Memory::Written(tokens), mask_token, segments, policies)
    }

    /// As [`new`](Self::new).
    pub(crate) fn over(
        tokens: Memory<'a, i32>,
        mask_token: i32,
        segments: &'a mut [Segment],
        policies: &'a [Policy<'a>],
    ) -> Result<Self, Error> {
        shape(u32::try_from(tokens.len()).is_ok(), "tokens", tokens.len(), "below 2 to the", 32)?;
        for policy in policies {
            policy.check()?;
        }
        let mut previous_end = 0;
        for segment in segments.iter() {
            let (begin, end) = (segment.begin as usize, segment.end as usize);
            shape(begin >= previous_end, "segment begin", begin, "at least", previous_end)?;
            shape(end >= begin, "segment end", end, "at least its begin,", begin)?;
            shape(end <= tokens.len(), "segment end", end, "at most", tokens.len())?;
            let policy = segment.policy as usize;
            shape(policy < policies.len(), "segment policy", policy, "below", policies.len())?;
            let step = segment.step as usize;
            shape(segment.step < u32::MAX, "segment step", step, "below", u32::MAX as usize)?;
            for (name, value) in [
                ("segment log_masked", segment.log_masked),
                ("segment output_log_masked", segment.output_log_masked),
            ] {
                if value.is_nan() || value > 0.0 {
                    let expected = "a number of at most 0";
                    return Err(Error::Argument { name, value, expected });
                }
            }
            let value = segment.mean_entropy;
            if value.is_nan() || value < 0.0 {
                let (name, expected) = ("segment mean_entropy", "a number of at least 0");
                return Err(Error::Argument { name, value, expected });
            }
            previous_end = end;
        }
        Ok(Self {
            tokens,
            kinds: None,
            states: None,
            constraints: Constraints::NONE,
            priors: [&[]; 2],
            mask_token,
            segments,
            policies,
        })
    }

    /// Gives every position a number that its score is multiplied by, and one that is added then, for
    /// the policies that ask for it ([`Score::priors`](crate::policy::Score)). Either may be empty, for
    /// 1 and 0.
    ///
    /// # Errors
    /// Another length than the tokens', or a number that is not finite.
    pub fn with_priors(mut self, multiply: &'a [f32], add: &'a [f32]) -> Result<Self, Error> {
        for (name, prior) in [("multiplying priors", multiply), ("added priors", add)] {
            let (given, tokens) = (prior.len(), self.tokens.len());
            let fits = given == 0 || given == tokens;
            shape(fits, name, given, "none, or as many as the tokens,", tokens)?;
            if let Some(index) = prior.iter().position(|x| !x.is_finite()) {
                let (name, value) = ("prior", prior[index].into());
                return Err(Error::Entry { name, index, value, expected: "finite" });
            }
        }
        self.priors = [multiply, add];
        Ok(self)
    }

    /// The prior of position `at`.
    pub(crate) fn prior(&self, at: u32) -> (f32, f32) {
        let [multiply, add] = self.priors.map(|prior| prior.get(at as usize).copied());
        (multiply.unwrap_or(1.0), add.unwrap_or(0.0))
    }

    /// Lets steps draw under these constraints, beside that on the mask token: `excluded` must be none.
    /// Rows of allowed tokens and of biases are those of the step's logits.
    ///
    /// # Errors
    /// An excluded token; here what can be told without logits, and the rest at the step.
    pub fn with_constraints(mut self, constraints: Constraints<'a>) -> Result<Self, Error> {
        if let Some(token) = constraints.excluded {
            let (name, expected) = ("excluded", "none: the mask token is");
            return Err(Error::Argument { name, value: token.into(), expected });
        }
        self.constraints = constraints;
        Ok(self)
    }

    /// Lets steps note in `states`, one per token, when a position got its token and how likely that
    /// was.
    ///
    /// # Errors
    /// Another length than the tokens'.
    pub fn with_states(self, states: &'a mut [PositionState]) -> Result<Self, Error> {
        self.over_states(Memory::Written(states))
    }

    pub(crate) fn over_states(mut self, states: Memory<'a, PositionState>) -> Result<Self, Error> {
        let (given, tokens) = (states.len(), self.tokens.len());
        shape(given == tokens, "states", given, "as many as the tokens,", tokens)?;
        self.states = Some(states);
        Ok(self)
    }

    /// Lets `kinds`, one per token, say which positions are masked, instead of the tokens.
    ///
    /// # Errors
    /// Another length than the tokens', or a byte that is no [`PositionKind`].
    pub fn with_kinds(self, kinds: &'a mut [PositionKind]) -> Result<Self, Error> {
        self.over_kinds(Memory::Written(kinds))
    }

    pub(crate) fn over_kinds(mut self, kinds: Memory<'a, PositionKind>) -> Result<Self, Error> {
        shape(
            kinds.len() == self.tokens.len(),
            "kinds",
            kinds.len(),
            "as many as the tokens,",
            self.tokens.len(),
        )?;
        let last = PositionKind::INACTIVE.0;
        if let Some(kind) = kinds.iter().find(|kind| kind.0 > last) {
            shape(false, "position kind", kind.0.into(), "at most", last.into())?;
        }
        self.kinds = Some(kinds);
        Ok(self)
    }

    /// The tokens, for the network.
    #[must_use]
    pub fn tokens(&self) -> &[i32] {
        &self.tokens
    }

    /// The kind of each position, if kinds say which ones are masked.
    pub(crate) fn kinds(&self) -> Option<&[PositionKind]> {
        self.kinds.as_deref()
    }

    /// The kind of position `at`; without kinds, masked or committed.
    pub(crate) fn kind(&self, at: u32) -> PositionKind {
        match &self.kinds {
            Some(kinds) => kinds[at as usize],
            None if self.is_masked(at) => PositionKind::MASKED,
            None => PositionKind::COMMITTED,
        }
    }

    /// What is drawn under: never the mask token.
    pub(crate) fn constraints(&self) -> Constraints<'a> {
        Constraints { excluded: u32::try_from(self.mask_token).ok(), ..self.constraints }
    }

    /// What is kept of each position.
    pub(crate) fn states(&self) -> Option<&[PositionState]> {
        self.states.as_deref()
    }

    /// The segments and their state.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        self.segments
    }

    /// The token that stands for a mask.
    #[must_use]
    pub fn mask_token(&self) -> i32 {
        self.mask_token
    }

    /// Whether position `at` is masked. Positions past the end are not.
    #[must_use]
    pub fn is_masked(&self, at: u32) -> bool {
        match &self.kinds {
            Some(kinds) => kinds.get(at as usize) == Some(&PositionKind::MASKED),
            None => self.tokens.get(at as usize) == Some(&self.mask_token),
        }
    }

    /// The masked positions of a segment, ascending.
    pub fn masked(&self, segment: &Segment) -> impl Iterator<Item = u32> + Clone {
        (segment.begin..segment.end).filter(|&at| self.is_masked(at))
    }

    pub(crate) fn policy(&self, segment: &Segment) -> &'a Policy<'a> {
        &self.policies[segment.policy as usize]
    }

    pub(crate) fn segments_mut(&mut self) -> &mut [Segment] {
        self.segments
    }

    /// Whether position `at` is masked or committed: what is not given, and not out.
    pub(crate) fn is_open(&self, at: u32) -> bool {
        matches!(self.kind(at), PositionKind::MASKED | PositionKind::COMMITTED)
    }

    /// Notes what is known of a position whose token stays.
    pub(crate) fn note(&mut self, at: u32, state: PositionState) {
        let states = self.states.as_mut().map(Memory::written).unwrap_or_default();
        if let Some(place) = states.get_mut(at as usize) {
            *place = state;
        }
    }

    /// Writes a token; only rooms in `update` call this.
    pub(crate) fn write(&mut self, at: u32, token: i32, kind: PositionKind, state: PositionState) {
        if let Some(place) = self.tokens.written().get_mut(at as usize) {
            *place = token;
        }
        let kinds = self.kinds.as_mut().map(Memory::written).unwrap_or_default();
        if let Some(place) = kinds.get_mut(at as usize) {
            *place = kind;
        }
        self.note(at, state);
    }
}
