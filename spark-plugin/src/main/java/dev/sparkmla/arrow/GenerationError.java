package dev.sparkmla.arrow;

/**
 * Why a row has no text.
 *
 * @param code the kind
 * @param message what was wrong, with the value, and what to do
 */
public record GenerationError(ErrorCode code, String message) {}
