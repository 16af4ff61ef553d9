package dev.sparkmla.model;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which quantized checkpoints can be read, by their {@code quantization_config}. Only schemes are
 * refused here: which matrices are quantized, the tensors say ({@link Weights#matrix}). So a
 * configuration that was left over when a checkpoint was converted to bf16 does no harm, whatever
 * its scheme. Activations are quantized with scales of their own, for each row and 128 columns,
 * whatever a scheme says of them.
 */
final class Quantization {
  private static final Logger LOGGER = LoggerFactory.getLogger(Quantization.class);
  private static final String SUPPORTED =
      "fp8 or compressed-tensors with 8-bit floats; take a checkpoint of these, or in bf16";

  /** Weights' scales that compressed-tensors may have. */
  private static final Set<String> STRATEGIES = Set.of("channel", "tensor", "block");

  private Quantization() {}

  /**
   * Refuses what is not supported, unless no tensor is quantized; then a warning says so.
   *
   * @param config the object {@code quantization_config}
   * @param folder its model folder
   * @throws ModelFormatException naming the key, its value and what is supported
   */
  static void check(JsonFields config, Path folder) {
    try {
      refuseUnsupported(config);
    } catch (ModelFormatException unsupported) {
      if (!Weights.areUnquantized(folder)) {
        throw unsupported;
      }
      LOGGER.warn(
          "{}: quantization_config is passed over, since no tensor is quantized; delete it",
          config.file());
    }
  }

  private static void refuseUnsupported(JsonFields config) {
    String method = config.string("quant_method", "");
    switch (method) {
      case "fp8" -> refuseUnsupportedBlocks(config);
      case "compressed-tensors" -> refuseUnsupportedGroups(config);
      default -> throw config.wrong("quant_method", method, SUPPORTED);
    }
  }

  /** The form of DeepSeek-V3; transformers calls it FineGrainedFP8Config. */
  private static void refuseUnsupportedBlocks(JsonFields config) {
    require(config, "fmt", "e4m3");
    config
        .integers("weight_block_size")
        .filter(size -> size.length != 2 || size[0] != 128 || size[1] != 128)
        .ifPresent(
            size -> {
              throw config.wrong("weight_block_size", Arrays.toString(size), "[128, 128]");
            });
  }

  private static void require(JsonFields config, String key, String supported) {
    String found = config.string(key, supported);
    if (!found.equals(supported)) {
      throw config.wrong(key, found, supported);
    }
  }

  /** The form of the library compressed-tensors, which llm-compressor writes. */
  private static void refuseUnsupportedGroups(JsonFields config) {
    if (config.has("kv_cache_scheme")) {
      throw config.wrong("kv_cache_scheme", "an object", "null: the cache holds bf16");
    }
    config.object("sparsity_config").ifPresent(Quantization::refuseSparse);
    config
        .object("config_groups")
        .ifPresent(
            groups ->
                groups
                    .keys()
                    .forEachRemaining(
                        name -> groups.object(name).ifPresent(Quantization::refuseGroup)));
  }

  private static void refuseSparse(JsonFields sparsity) {
    require(sparsity, "format", "dense");
  }

  private static void refuseGroup(JsonFields group) {
    group.object("weights").ifPresent(Quantization::refuseWeights);
    group.object("input_activations").ifPresent(Quantization::requireFloat8);
    if (group.has("output_activations")) {
      throw group.wrong("output_activations", "an object", "null");
    }
  }

  private static void refuseWeights(JsonFields weights) {
    requireFloat8(weights);
    if (!weights.flag("symmetric", true)) {
      throw weights.wrong("symmetric", false, "true");
    }
    String strategy = weights.string("strategy", "tensor");
    if (!STRATEGIES.contains(strategy)) {
      throw weights.wrong("strategy", strategy, "one of channel, tensor and block");
    }
  }

  private static void requireFloat8(JsonFields scheme) {
    require(scheme, "type", "float");
    int bits = scheme.integer("num_bits", 8, 1, 64);
    if (bits != 8) {
      throw scheme.wrong("num_bits", bits, "8");
    }
  }
}
