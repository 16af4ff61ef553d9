package dev.sparkmla.model;

/**
 * One decoder layer: both parts are added to the residual stream, one after the other.
 *
 * @param mixer mixes the tokens of a sequence
 * @param feedForward computes each token for itself
 */
record Layer(Mixer mixer, FeedForward feedForward) {}
