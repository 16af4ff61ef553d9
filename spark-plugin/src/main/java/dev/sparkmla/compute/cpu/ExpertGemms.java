package dev.sparkmla.compute.cpu;

import java.util.Arrays;

/**
 * The experts' gated GEMMs: tokens are grouped by expert, and each group is gathered and
 * multiplied; then each token adds up its experts' results in the order they were chosen.
 */
final class ExpertGemms {
  /** Tokens taken at once, which bounds the memory of the experts' results. */
  private static final int BATCH = 2048;

  private final CpuActivation in;
  private final CpuRouting routing;
  private final CpuExperts experts;
  private final RowPlacement placement;
  private final CpuActivation out;

  ExpertGemms(CpuRouting routing, RowPlacement placement, CpuActivation out) {
    this.in = routing.in();
    this.routing = routing;
    this.experts = routing.experts();
    this.placement = placement;
    this.out = out;
  }

  void run(Workers workers, HostMemory memory) {
    for (int first = 0; first < in.rows(); first += BATCH) {
      batch(first, Math.min(BATCH, in.rows() - first), workers, memory);
    }
  }

  private void batch(int first, int rows, Workers workers, HostMemory memory) {
    int perToken = routing.perToken();
    int[][] chosen = choices(first, rows);
    int[] busy = busiestFirst(chosen);
    try (CpuActivation results = new CpuActivation(memory, rows * perToken, out.columns())) {
      workers.run(
          busy.length,
          (index, scratch) -> multiply(first, busy[index], chosen[busy[index]], results, scratch));
      workers.run(
          (rows + 63) / 64,
          (index, scratch) -> {
            for (int row = index * 64; row < Math.min(rows, (index + 1) * 64); row++) {
              addUp(first, row, results, scratch);
            }
          });
    }
  }

  /**
   * By expert, the choices {@code row * perToken + i} of the batch that fell on it, as they are
   * placed for its GEMMs.
   */
  private int[][] choices(int first, int rows) {
    int perToken = routing.perToken();
    int[] counts = new int[experts.experts()];
    for (int i = 0; i < rows * perToken; i++) {
      int expert = routing.chosen()[first * perToken + i];
      if (expert != CpuRouting.NONE) {
        counts[expert]++;
      }
    }
    int[][] choices = new int[experts.experts()][];
    Arrays.setAll(choices, expert -> new int[counts[expert]]);
    for (int i = rows * perToken - 1; i >= 0; i--) {
      int expert = routing.chosen()[first * perToken + i];
      if (expert != CpuRouting.NONE) {
        choices[expert][--counts[expert]] = i;
      }
    }
    Arrays.setAll(choices, expert -> placed(first, choices[expert]));
    return choices;
  }

  private int[] placed(int first, int[] choices) {
    int[] places =
        placement.place(
            choices.length, i -> RowPlacement.half(first + choices[i] / routing.perToken()));
    Arrays.setAll(
        places, i -> places[i] == RowPlacement.EMPTY ? RowPlacement.EMPTY : choices[places[i]]);
    return places;
  }

  private static int[] busiestFirst(int[][] chosen) {
    return java.util.stream.IntStream.range(0, chosen.length)
        .filter(expert -> chosen[expert].length > 0)
        .boxed()
        .sorted((a, b) -> Integer.compare(chosen[b].length, chosen[a].length))
        .mapToInt(Integer::intValue)
        .toArray();
  }

  private void multiply(
      int first, int expert, int[] places, CpuActivation results, Scratch scratch) {
    CpuWeight gateUp = experts.gateUp(expert);
    CpuWeight down = experts.down(expert);
    int hidden = in.columns();
    int width = down.columns();
    int rows = Gemm.wholeSteps(places.length);
    HostBuffer gathered = scratch.buffer(Scratch.Use.ROWS, (long) rows * hidden);
    Gemm.View input = new Gemm.View(gathered, 0, hidden);
    for (int i = 0; i < places.length; i++) {
      if (places[i] == RowPlacement.EMPTY) {
        Gemm.zero(gathered.floats(), i * hidden, hidden);
        continue;
      }
      gathered
          .floats()
          .put(
              i * hidden,
              in.buffer().floats(),
              in.offset() + (first + places[i] / routing.perToken()) * in.stride(),
              hidden);
    }
    HostBuffer gateUps = scratch.buffer(Scratch.Use.GATE, (long) rows * 2 * width);
    HostBuffer outputs = scratch.buffer(Scratch.Use.UP, (long) rows * hidden);
    Gemm.View gates = new Gemm.View(gateUps, 0, 2 * width);
    Gemm.independent(rows, input, gateUp, 0, 2 * width, gates, false, scratch);
    float[] values = scratch.array(Scratch.Use.GATE, 2 * width);
    float[] factors = scratch.array(Scratch.Use.UP, width);
    for (int i = 0; i < places.length; i++) {
      gateUps.floats().get(i * 2 * width, values, 0, width);
      gateUps.floats().get(i * 2 * width + width, factors, 0, width);
      Vectors.gate(values, factors, width, scratch);
      gateUps.floats().put(i * 2 * width, values, 0, width);
    }
    Gemm.View output = new Gemm.View(outputs, 0, hidden);
    Gemm.independent(rows, gates, down, 0, hidden, output, false, scratch);
    for (int i = 0; i < places.length; i++) {
      if (places[i] != RowPlacement.EMPTY) {
        results.buffer().floats().put(places[i] * hidden, outputs.floats(), i * hidden, hidden);
      }
    }
  }

  private void addUp(int first, int row, CpuActivation results, Scratch scratch) {
    int hidden = out.columns();
    float[] sum = scratch.array(Scratch.Use.ROWS, hidden);
    float[] part = scratch.array(Scratch.Use.UP, hidden);
    out.readRow(first + row, sum, 0);
    for (int i = 0; i < routing.perToken(); i++) {
      int choice = row * routing.perToken() + i;
      if (routing.chosen()[first * routing.perToken() + choice] == CpuRouting.NONE) {
        return;
      }
      results.readRow(choice, part, 0);
      Vectors.addScaled(
          sum, 0, routing.weights()[first * routing.perToken() + choice], part, 0, hidden);
    }
    out.writeRow(first + row, sum, 0);
  }
}
