package dev.sparkmla.engine;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeBackends;
import dev.sparkmla.compute.ConstraintTable;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.compute.RandomTensors;
import dev.sparkmla.compute.SampledTokens;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.Segments;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.compute.Weight;
import dev.sparkmla.compute.WeightFormat;
import dev.sparkmla.compute.WeightVector;
import dev.sparkmla.compute.cuda.TimedOperations;
import dev.sparkmla.cuda.CudaContext;
import dev.sparkmla.cuda.CudaStream;
import dev.sparkmla.cuda.DeviceBuffer;
import dev.sparkmla.cuda.GpuDevice;
import dev.sparkmla.kvcache.CacheShape;
import dev.sparkmla.model.CacheFiller;
import dev.sparkmla.model.CacheSize;
import dev.sparkmla.model.MlaTransformer;
import dev.sparkmla.model.ModelConfig;
import dev.sparkmla.model.ModelShapes;
import dev.sparkmla.model.ParameterCount;
import dev.sparkmla.model.PendingStep;
import dev.sparkmla.model.RandomParameters;
import dev.sparkmla.model.Weights;
import dev.sparkmla.policy.LogitsProcessing;
import dev.sparkmla.policy.Sampling;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.SplittableRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * {@code bin/bench generate}: decode steps, prefill and a whole workload of one model below its
 * text, as Markdown tables, beside what the machine can do at most in the same run.
 *
 * <p>Decode steps are submitted as the engine does, one ahead of the results, over contexts of
 * random latents. Prefill and the workload go through the engine's scheduler; prompts are random
 * tokens and share nothing.
 */
public final class GenerateBenchmark {
  private static final String USAGE =
      """
      usage: bin/bench generate --shapes NAME | --model DIR [OPTION...]

        --backend cuda|cpu         (default cuda: the first GPU)
        --shapes NAME              random parameters, of projections in 8 bits with -fp8 after the
                                   name: %s
        --model DIR                a model's folder
        --decode BxTOKENS,...      sequences and context (default 64x4096,256x4096,32x32768)
        --formats BxTOKENS,...     decode steps whose rows have a response format each, beside the same
                                   steps without (default 64x4096)
        --prefill NxTOKENS,...     prompts and their length (default 16x4096,1x32768)
        --workload NxTOKENS+NEW,...
                                   prompts, their length, tokens to generate (default 32x8192+1024);
                                   with ~ before TOKENS lengths are drawn, log-normal with this median
                                   and sigma 1, at most 8 times as long, and 1 to NEW are generated
        --step-tokens TOKENS       of a step at most (default as in a job: 16384 on a GPU,
                                   2048 on a processor)
        --sequences N              that run at once at most (default 256)
        --profile                  also, on a GPU, a table of the operations of each decode step, and of
                                   the first prefill step, with their limits: for these the backend is
                                   called through a proxy, so that host times are longer
        --threads N                of the cpu backend (default all processors)
        --json FILE                seconds of each row there too, which bin/bench peers reads

      none leaves a part out.
      """;

  private static final CacheShape CACHE = CacheShape.of(512, 64);
  private static final int WARM_UP_STEPS = 8;
  private static final int STEPS = 32;
  private static final int ROUNDS = 5;
  private static final Pattern SIZE = Pattern.compile("(\\d+)x(\\d+)");

  /** So many sequences of so many tokens. */
  private record Size(int sequences, int tokens) {
    static List<Size> all(String text) {
      return text.equals("none")
          ? List.of()
          : Arrays.stream(text.split(",")).map(Size::of).toList();
    }

    private static Size of(String text) {
      Matcher matcher = SIZE.matcher(text);
      if (!matcher.matches()) {
        throw new IllegalArgumentException(text + ": expected sequences x tokens, such as 64x4096");
      }
      return new Size(Integer.parseInt(matcher.group(1)), Integer.parseInt(matcher.group(2)));
    }

    int blocks() {
      return sequences * CACHE.blocksFor(tokens + WARM_UP_STEPS + STEPS);
    }

    Workload prompts() {
      return Workload.equal(toString(), sequences, tokens, 1);
    }

    @Override
    public String toString() {
      return sequences + " × " + tokens;
    }
  }

  private static final class Options {
    private String backend = "cuda";
    private Optional<Path> model = Optional.empty();
    private Optional<Shapes> shapes = Optional.empty();
    private List<Size> decode = Size.all("64x4096,256x4096,32x32768");
    private List<Size> formats = Size.all("64x4096");
    private List<Size> prefill = Size.all("16x4096,1x32768");
    private List<Workload> workload = Workload.all("32x8192+1024");
    private OptionalInt stepTokens = OptionalInt.empty();
    private int sequences = 256;
    private Optional<Path> json = Optional.empty();
    private boolean profile;
    private int threads = Runtime.getRuntime().availableProcessors();

    static Options parse(String[] arguments) {
      Options options = new Options();
      for (int i = 0; i < arguments.length; i++) {
        String name = arguments[i];
        if (name.equals("--profile")) {
          options.profile = true;
          continue;
        }
        if (++i == arguments.length) {
          throw new IllegalArgumentException(name + " needs a value");
        }
        String value = arguments[i];
        switch (name) {
          case "--backend" -> options.backend = value;
          case "--model" -> options.model = Optional.of(Path.of(value));
          case "--shapes" -> options.shapes = Optional.of(Shapes.of(value));
          case "--decode" -> options.decode = Size.all(value);
          case "--formats" -> options.formats = Size.all(value);
          case "--prefill" -> options.prefill = Size.all(value);
          case "--workload" -> options.workload = Workload.all(value);
          case "--step-tokens" -> options.stepTokens = OptionalInt.of(Integer.parseInt(value));
          case "--sequences" -> options.sequences = Integer.parseInt(value);
          case "--json" -> options.json = Optional.of(Path.of(value));
          case "--threads" -> options.threads = Integer.parseInt(value);
          default -> throw new IllegalArgumentException(name + " is no option");
        }
      }
      if (options.profile && !options.backend.equals("cuda")) {
        throw new IllegalArgumentException("--profile takes the times of a GPU's operations");
      }
      if (options.model.isPresent() == options.shapes.isPresent()) {
        throw new IllegalArgumentException("one of --shapes and --model is needed");
      }
      return options;
    }

    private Stream<Size> sizes() {
      return Stream.of(decode, formats, prefill).flatMap(List::stream);
    }

    /** Blocks that the largest part needs. */
    int blocks() {
      return Math.max(
          sizes().mapToInt(Size::blocks).max().orElse(1),
          workload.stream().mapToInt(load -> load.blocks(CACHE)).max().orElse(1));
    }

    /** Tokens of a step at most. */
    int stepTokens() {
      return stepTokens.orElse(backend.equals("cuda") ? 16_384 : 2048);
    }

    /** Sequences of the largest step. */
    int mostSequences() {
      return Math.max(
          sizes().mapToInt(Size::sequences).max().orElse(1),
          workload.stream().mapToInt(load -> Math.min(load.size(), sequences)).max().orElse(1));
    }
  }

  /** The sizes of a published model, and the format of its projections. */
  private record Shapes(ModelShapes model, WeightFormat format) {
    private static final String FLOAT8 = "-fp8";

    static Shapes of(String name) {
      boolean float8 = name.endsWith(FLOAT8);
      return ModelShapes.named(float8 ? name.substring(0, name.length() - FLOAT8.length()) : name)
          .map(
              model ->
                  new Shapes(model, float8 ? WeightFormat.FLOAT8_BLOCKS : WeightFormat.BFLOAT16))
          .orElseThrow(
              () -> new IllegalArgumentException("--shapes " + name + ": expected " + all()));
    }

    static String all() {
      return ModelShapes.names().collect(Collectors.joining(", "));
    }

    /** Bytes of an element of a projection. */
    int bytes() {
      return switch (format) {
        case FLOAT32 -> 4;
        case BFLOAT16 -> 2;
        case FLOAT8_BLOCKS, FLOAT8_ROWS -> 1;
      };
    }

    @Override
    public String toString() {
      return model + (format == WeightFormat.BFLOAT16 ? "" : FLOAT8);
    }
  }

  private final Options options;
  private final ComputeBackend backend;
  private final Optional<TimedOperations> timed;
  private final MlaTransformer model;
  private final OptionalDouble copyRate;
  private final double gemmRate;
  private final SplittableRandom random = new SplittableRandom(1);
  private final List<BenchmarkReport.Row> report = new ArrayList<>();

  private GenerateBenchmark(
      Options options,
      ComputeBackend backend,
      Optional<TimedOperations> timed,
      MlaTransformer model,
      OptionalDouble copyRate,
      double gemmRate) {
    this.options = options;
    this.backend = backend;
    this.timed = timed;
    this.model = model;
    this.copyRate = copyRate;
    this.gemmRate = gemmRate;
  }

  /** Exits with 0 when the tables are complete, 2 for bad options. */
  public static void main(String[] arguments) {
    Options options;
    try {
      options = Options.parse(arguments);
    } catch (IllegalArgumentException e) {
      System.err.println("bench generate: " + e.getMessage());
      System.err.printf(Locale.ROOT, USAGE, Shapes.all());
      System.exit(2);
      return;
    }
    OptionalDouble copyRate =
        options.backend.equals("cuda") ? OptionalDouble.of(copyRate()) : OptionalDouble.empty();
    Optional<TimedOperations> timed =
        options.profile ? Optional.of(new TimedOperations(GpuDevice.at(0))) : Optional.empty();
    try (ComputeBackend backend =
        timed.map(TimedOperations::backend).orElseGet(() -> open(options))) {
      double gemmRate = gemmRate(backend, options.backend.equals("cuda") ? 8192 : 1024);
      long start = System.nanoTime();
      try (MlaTransformer model = load(options, backend)) {
        System.out.printf(
            Locale.ROOT,
            "%s, %s on %s, Java %s; loaded in %.1f s, a cache of %d tokens.%n"
                + "Ceilings of this run: copy %s GB/s, GEMM %.2f TFLOPS.%n%n",
            LocalDate.now(ZoneOffset.UTC),
            options.shapes.map(Shapes::toString).orElseGet(() -> options.model.get().toString()),
            backend.name(),
            Runtime.version(),
            secondsSince(start),
            (long) CACHE.page() * model.cacheBlocks(),
            copyRate.isPresent() ? Math.round(copyRate.getAsDouble() / 1e9) : "n/a",
            gemmRate / 1e12);
        new GenerateBenchmark(options, backend, timed, model, copyRate, gemmRate).run();
      }
    }
  }

  private static ComputeBackend open(Options options) {
    return switch (options.backend) {
      case "cuda" -> ComputeBackends.cuda(GpuDevice.at(0));
      case "cpu" -> ComputeBackends.cpu(options.threads);
      default -> throw new IllegalArgumentException("no backend " + options.backend);
    };
  }

  private static MlaTransformer load(Options options, ComputeBackend backend) {
    CacheSize size =
        backend.freeMemory().isPresent()
            ? new CacheSize.MemoryFraction(0.9, options.stepTokens(), options.mostSequences())
            : new CacheSize.Blocks(options.blocks());
    if (options.shapes.isPresent()) {
      Shapes shapes = options.shapes.get();
      return MlaTransformer.load(
          shapes.model().config(), new RandomParameters(1, shapes.format()), backend, size);
    }
    try (ModelFolder folder = new ModelFolder(options.model.orElseThrow());
        Weights weights = folder.openWeights()) {
      return MlaTransformer.load(folder.config(), weights, backend, size);
    }
  }

  /** Bytes read plus bytes written per second, of copies inside the first GPU's memory. */
  private static double copyRate() {
    long bytes = 4L << 30;
    int runs = 20;
    try (CudaContext context = CudaContext.open(GpuDevice.at(0));
        CudaStream stream = context.newStream();
        DeviceBuffer source = context.allocate(bytes);
        DeviceBuffer target = context.allocate(bytes)) {
      source.fill(0, bytes, (byte) 0x5a, stream);
      target.copyFromDevice(0, source, 0, bytes, stream);
      stream.synchronize();
      long start = System.nanoTime();
      for (int run = 0; run < runs; run++) {
        target.copyFromDevice(0, source, 0, bytes, stream);
      }
      stream.synchronize();
      return 2.0 * runs * bytes / secondsSince(start);
    }
  }

  /** Operations per second of the backend's own GEMM of square matrices. */
  private static double gemmRate(ComputeBackend backend, int size) {
    int runs = 20;
    try (Weight table = RandomTensors.uploadMatrix(backend, size, size, 1, 2);
        WeightVector gain = RandomTensors.uploadVector(backend, size, 1, 0, 0);
        Weight weight = RandomTensors.uploadMatrix(backend, size, size, 1, 3);
        Activation in = backend.allocate(size, size, Precision.BFLOAT16);
        Activation wide = backend.allocate(size, size, Precision.FLOAT32);
        Activation out = backend.allocate(size, size, Precision.BFLOAT16);
        Activation one = backend.allocate(1, 64, Precision.FLOAT32)) {
      // Rows of random numbers: the embedding of as many tokens.
      try (StepPlan plan = backend.plan(List.of(tokens(size)))) {
        backend.embed(table, 1, plan, wide);
        backend.normalize(wide, gain, 1e-6f, in);
      }
      backend.linear(in, weight, Optional.empty(), out);
      backend.read(one);
      long start = System.nanoTime();
      for (int run = 0; run < runs; run++) {
        backend.linear(in, weight, Optional.empty(), out);
      }
      backend.read(one);
      return 2.0 * runs * size * size * size / secondsSince(start);
    }
  }

  private static Segment tokens(int count) {
    return Segments.chunk(
        IntStream.range(0, count).toArray(),
        0,
        IntStream.range(0, CACHE.blocksFor(count)).toArray());
  }

  private void run() {
    if (!options.decode.isEmpty()) {
      System.out.println(
          "| decode: B × context | ms a step | tokens/s | limit ms | % of limit | host ms a step |"
              + " steps the device waited |");
      System.out.println("|---|---|---|---|---|---|---|");
      options.decode.forEach(this::decode);
      System.out.println();
    }
    if (!options.formats.isEmpty()) {
      System.out.println(
          "| decode with response formats: B × context | ms a step | ms without | longer by % |");
      System.out.println("|---|---|---|---|");
      options.formats.forEach(this::decodeWithFormats);
      System.out.println();
    }
    if (!options.prefill.isEmpty()) {
      // Once for all sizes: what is made lazily is made.
      int most = Math.min(model.config().contextWindow(), CACHE.page() * model.cacheBlocks());
      int few = Math.min(2048, most - 1);
      Run warm = schedule(new Size(1, few).prompts());
      System.out.println("| prefill: prompts × tokens | s | tokens/s | TFLOPS | % of GEMM |");
      System.out.println("|---|---|---|---|---|");
      if (warm.tokens() > 0) {
        options.prefill.forEach(this::prefill);
      }
      System.out.println();
    }
    timed.ifPresent(this::profile);
    if (!options.workload.isEmpty()) {
      System.out.println(
          "| workload: prompts × tokens + new | s | prompt tokens/s | new tokens/s | tokens/s in all |"
              + " host ms a decode step | decode steps the device waited |");
      System.out.println("|---|---|---|---|---|---|---|");
      options.workload.forEach(this::workload);
    }
    options.json.ifPresent(
        file ->
            new BenchmarkReport(
                    options
                        .shapes
                        .map(Shapes::toString)
                        .orElseGet(() -> options.model.get().toString()),
                    backend.name(),
                    report)
                .write(file));
  }

  /** Where the time of steps goes; each is computed once before. */
  private void profile(TimedOperations operations) {
    StepProfile profile = new StepProfile(copyRate.orElseThrow(), gemmRate);
    for (Size size : options.decode) {
      if (fits(size, 1)) {
        CacheFiller.fill(model, backend, size.blocks(), 1);
        List<Segment> step =
            decodeStep(
                tables(size),
                Collections.nCopies(size.sequences(), Optional.empty()),
                size.tokens() - 1,
                true);
        model.logits(step);
        profile.print(
            "decode " + size,
            operations.of(() -> model.logits(step)),
            new StepProfile.Context((double) size.sequences() * size.tokens(), 0));
      }
    }
    for (Size size : options.prefill) {
      if (fits(size, 1)) {
        int tokens = Math.min(size.tokens(), options.stepTokens());
        int sequences = Math.min(size.sequences(), options.stepTokens() / tokens);
        List<Segment> step = prefillStep(tables(new Size(sequences, tokens)), tokens);
        model.logits(step);
        profile.print(
            "prefill " + sequences + " × " + tokens,
            operations.of(() -> model.logits(step)),
            new StepProfile.Context(
                (double) sequences * tokens, sequences * (tokens * (tokens + 1.0) / 2)));
      }
    }
  }

  private List<Segment> prefillStep(int[][] tables, int tokens) {
    return Arrays.stream(tables)
        .map(
            table ->
                Segments.prompt(
                    random.ints(tokens, 0, model.config().vocabularySize()).toArray(), 0, table))
        .toList();
  }

  /** Whether the cache and the context window hold a size, with so many tokens past its own. */
  private boolean fits(Size size, int more) {
    boolean fits =
        size.blocks() <= model.cacheBlocks()
            && size.tokens() + more <= model.config().contextWindow();
    if (!fits) {
      System.out.printf(
          "| %s | n/a: needs %d of %d blocks and a context of %d of %d |%n",
          size,
          size.blocks(),
          model.cacheBlocks(),
          size.tokens() + more,
          model.config().contextWindow());
    }
    return fits;
  }

  /** What decode steps took: seconds of each, and of all what the host took and waited for. */
  private record Steps(double seconds, double host, int waited) {}

  private void decode(Size size) {
    if (!fits(size, STEPS)) {
      return;
    }
    CacheFiller.fill(model, backend, size.blocks(), 1);
    Steps steps = time(size, Collections.nCopies(size.sequences(), Optional.empty()));
    report.add(BenchmarkReport.decode(size.sequences(), size.tokens(), steps.seconds()));
    String limit = "n/a";
    String part = "n/a";
    if (copyRate.isPresent()) {
      double least = decodeBytes(size) / copyRate.getAsDouble();
      limit = String.format(Locale.ROOT, "%.2f", least * 1e3);
      part = String.valueOf(Math.round(100 * least / steps.seconds()));
    }
    System.out.printf(
        Locale.ROOT,
        "| %s | %.2f | %.0f | %s | %s | %s |%n",
        size,
        steps.seconds() * 1e3,
        size.sequences() / steps.seconds(),
        limit,
        part,
        host(steps.host(), steps.waited(), STEPS));
  }

  /** The median of rounds with and without formats, in turn. */
  private void decodeWithFormats(Size size) {
    if (!fits(size, STEPS)) {
      return;
    }
    CacheFiller.fill(model, backend, size.blocks(), 1);
    List<Optional<ConstraintTable>> none = Collections.nCopies(size.sequences(), Optional.empty());
    List<Optional<ConstraintTable>> formats =
        BenchmarkFormats.constraints(size.sequences(), model.config().vocabularySize()).stream()
            .map(model::constrain)
            .toList();
    double[] with = new double[ROUNDS];
    double[] without = new double[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
      without[round] = time(size, none).seconds();
      with[round] = time(size, formats).seconds();
    }
    formats.forEach(table -> table.orElseThrow().close());
    Arrays.sort(with);
    Arrays.sort(without);
    double median = with[ROUNDS / 2];
    double base = without[ROUNDS / 2];
    System.out.printf(
        Locale.ROOT,
        "| %s | %.3f | %.3f | %.1f |%n",
        size,
        median * 1e3,
        base * 1e3,
        100 * (median / base - 1));
  }

  /**
   * Decode steps whose contexts have the size's tokens in the middle of the steps timed.
   *
   * @param formats what each row is constrained by
   */
  private Steps time(Size size, List<Optional<ConstraintTable>> formats) {
    int[][] tables = tables(size);
    int position = Math.max(0, size.tokens() - 1 - WARM_UP_STEPS - STEPS / 2);
    Deque<PendingStep> pending = new ArrayDeque<>();
    double host = 0;
    int waited = 0;
    long start = 0;
    for (int step = 0; step < WARM_UP_STEPS + STEPS; step++) {
      if (step == WARM_UP_STEPS) {
        host = 0;
        waited = 0;
        start = System.nanoTime();
      }
      long begin = System.nanoTime();
      pending.add(model.submit(decodeStep(tables, formats, position + step, step == 0)));
      host += secondsSince(begin);
      if (pending.size() > 1) {
        waited += take(pending) ? 1 : 0;
      }
    }
    Steps steps = new Steps(secondsSince(start) / STEPS, host, waited);
    take(pending);
    return steps;
  }

  /** Takes the first step's tokens, and tells whether they were there already. */
  private static boolean take(Deque<PendingStep> pending) {
    long begin = System.nanoTime();
    pending.remove().tokens();
    return System.nanoTime() - begin < 20_000;
  }

  private int[][] tables(Size size) {
    int[] blocks = IntStream.range(0, size.blocks()).toArray();
    for (int i = blocks.length - 1; i > 0; i--) {
      int other = random.nextInt(i + 1);
      int block = blocks[i];
      blocks[i] = blocks[other];
      blocks[other] = block;
    }
    int each = size.blocks() / size.sequences();
    return IntStream.range(0, size.sequences())
        .mapToObj(i -> Arrays.copyOfRange(blocks, i * each, (i + 1) * each))
        .toArray(int[][]::new);
  }

  private List<Segment> decodeStep(
      int[][] tables, List<Optional<ConstraintTable>> formats, int position, boolean first) {
    List<Segment> segments = new ArrayList<>(tables.length);
    for (int i = 0; i < tables.length; i++) {
      int[] token = {random.nextInt(model.config().vocabularySize())};
      Segment.Tokens tokens =
          first ? new Segment.Tokens.Known(token) : new Segment.Tokens.Sampled(i);
      Segment.Position before = new Segment.Position.Sampled(i);
      Optional<Segment.Constrained> constrained =
          formats
              .get(i)
              .map(
                  table ->
                      new Segment.Constrained(
                          table,
                          first ? new Segment.Position.Known(table.constraint().start()) : before));
      segments.add(
          new Segment(
              Segment.Role.DECODE,
              tokens,
              position,
              tables[i],
              List.of(new Segment.Sample(0, Sampling.GREEDY, constrained))));
    }
    return segments;
  }

  /** Bytes that a decode step reads at least: weights of the experts that are chosen, and cache. */
  private double decodeBytes(Size size) {
    ModelConfig config = model.config();
    double weights = new ParameterCount(config).active();
    if (config.experts().isPresent()) {
      ModelConfig.Experts experts = config.experts().get();
      double chosen = (double) experts.router().perToken() / experts.router().experts();
      double touched = 1 - Math.pow(1 - chosen, size.sequences());
      weights +=
          (config.layers() - experts.firstDenseLayers())
              * (touched * experts.router().experts() - experts.router().perToken())
              * 3.0
              * experts.intermediateSize()
              * config.hiddenSize();
    }
    double cache =
        (double) size.sequences()
            * size.tokens()
            * config.layers()
            * config.cacheShape().bytesPerToken();
    // What attention absorbs and the output projection are bf16 in any case.
    double plain =
        (double) config.vocabularySize() * config.hiddenSize()
            + (double) config.layers()
                * config.heads()
                * (config.nopeSize() + config.valueSize())
                * config.cacheShape().latent();
    int bytes = options.shapes.map(Shapes::bytes).orElse(2);
    return 2 * plain + bytes * (weights - plain) + cache;
  }

  private void prefill(Size size) {
    if (!fits(size, 1)) {
      return;
    }
    Run run = schedule(size.prompts());
    report.add(BenchmarkReport.prefill(size.prompts(), run.seconds()));
    ModelConfig config = model.config();
    double matrices =
        2.0
            * (new ParameterCount(config).active()
                - (double) config.vocabularySize() * config.hiddenSize());
    double attention =
        (double) config.layers()
            * config.heads()
            * (config.nopeSize() + config.cacheShape().rope() + config.valueSize())
            * size.tokens();
    double rate = run.tokens() * (matrices + attention) / run.seconds();
    System.out.printf(
        Locale.ROOT,
        "| %s | %.3f | %.0f | %.3g | %.0f |%n",
        size,
        run.seconds(),
        run.tokens() / run.seconds(),
        rate / 1e12,
        100 * rate / gemmRate);
  }

  private void workload(Workload load) {
    if (load.longest()
        > Math.min((long) CACHE.page() * model.cacheBlocks(), model.config().contextWindow())) {
      System.out.printf(
          "| %s | n/a: a sequence of %d tokens in a cache of %d and a context of %d |%n",
          load.name(),
          load.longest(),
          (long) CACHE.page() * model.cacheBlocks(),
          model.config().contextWindow());
      return;
    }
    Run run = schedule(load);
    report.add(BenchmarkReport.workload(load, run.seconds()));
    System.out.printf(
        Locale.ROOT,
        "| %s | %.2f | %.0f | %.0f | %.0f | %s |%n",
        load.name(),
        run.seconds(),
        load.promptTokens() / run.seconds(),
        load.generatedTokens() / run.seconds(),
        (load.promptTokens() + load.generatedTokens()) / run.seconds(),
        host(run.hostSeconds(), run.waitedSteps(), run.decodeSteps()));
  }

  /** The host's share of decode steps, where it has one beside the device's. */
  private String host(double seconds, int waited, int steps) {
    return model.runsAhead() && steps > 0
        ? String.format(Locale.ROOT, "%.3f | %d of %d", seconds / steps * 1e3, waited, steps)
        : "n/a | n/a";
  }

  /**
   * What a run through the scheduler took.
   *
   * @param seconds from the first step planned to the last token known
   * @param tokens prompt tokens computed
   * @param decodeSteps steps that only decoded
   * @param hostSeconds the host's work for them: planning, submitting, taking results in
   * @param waitedSteps how many of them were done before the host asked for their tokens
   */
  private record Run(
      double seconds, long tokens, int decodeSteps, double hostSeconds, int waitedSteps) {}

  /** Runs random prompts to their end, as the engine does. */
  private Run schedule(Workload load) {
    Scheduler scheduler =
        new Scheduler(
            options.stepTokens(),
            Math.min(load.size(), options.mostSequences()),
            model.cacheBlocks(),
            CACHE.page(),
            model::constrain);
    for (int i = 0; i < load.size(); i++) {
      int[] prompt =
          random.ints(load.prompts().get(i), 0, model.config().vocabularySize()).toArray();
      // At temperature 1: the greedy text of random weights falls into loops, which few experts
      // read.
      Sampling sampling = new Sampling(1, 0, 1, 0, i, 0, LogitsProcessing.NONE);
      scheduler.add(new Sequence(prompt, load.newTokens().get(i), sampling, Optional.empty()));
    }
    Deque<PendingStep> pending = new ArrayDeque<>();
    Deque<Boolean> decodes = new ArrayDeque<>();
    int ahead = model.runsAhead() ? 1 : 0;
    int decodeSteps = 0;
    int waited = 0;
    double host = 0;
    long start = System.nanoTime();
    while (!scheduler.isIdle() || !pending.isEmpty()) {
      long begin = System.nanoTime();
      Optional<PlannedStep> step = scheduler.plan();
      if (step.isPresent()) {
        pending.add(model.submit(step.get().segments()));
        scheduler.submitted(step.get());
        decodes.add(
            step.get().segments().stream()
                .allMatch(segment -> segment.role() == Segment.Role.DECODE));
      }
      double work = secondsSince(begin);
      if (step.isPresent() && pending.size() <= ahead) {
        continue;
      }
      begin = System.nanoTime();
      SampledTokens tokens = pending.remove().tokens();
      boolean there = System.nanoTime() - begin < 20_000;
      boolean wasDecoding = decodes.remove();
      begin = System.nanoTime();
      List<Sequence> grown = scheduler.complete(tokens).grown();
      grown.removeIf(sequence -> sequence.outputTokens() < sequence.maxTokens());
      if (!grown.isEmpty()) {
        scheduler.removeIf(grown::contains);
      }
      if (wasDecoding) {
        decodeSteps++;
        host += work + secondsSince(begin);
        waited += there ? 1 : 0;
      }
    }
    return new Run(secondsSince(start), load.promptTokens(), decodeSteps, host, waited);
  }

  private static double secondsSince(long start) {
    return (System.nanoTime() - start) / 1e9;
  }
}
