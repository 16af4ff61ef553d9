package dev.sparkmla.cuda;

/**
 * What {@link RowOperations#processLogits} reads of constrained rows, and where it keeps how far
 * their answers are.
 *
 * @param automata int32 [any], 8-byte aligned: a vocabulary and automata as {@link AutomatonLayout}
 *     writes them
 * @param previous int32 [n], n at least the rows of logits: the tokens of the step before
 * @param positions int32 [n, 2], 8-byte aligned: the rows' positions in their automata, of the step
 *     before; gets those of this step's rows
 * @param newPositions int32 [rows, 2], 8-byte aligned, workspace
 */
public record ConstraintMemory(
    DeviceTensor automata,
    DeviceTensor previous,
    DeviceTensor positions,
    DeviceTensor newPositions) {}
