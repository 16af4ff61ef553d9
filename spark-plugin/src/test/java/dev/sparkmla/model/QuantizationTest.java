package dev.sparkmla.model;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class QuantizationTest {
  @TempDir Path folder;

  /** As gptq and awq store them. */
  @BeforeEach
  void writeTensorsOfIntegers() throws IOException {
    byte[] header =
        "{\"a.qweight\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[0,4]}}"
            .getBytes(StandardCharsets.UTF_8);
    Files.write(
        folder.resolve("model.safetensors"),
        ByteBuffer.allocate(Long.BYTES + header.length + 4)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putLong(header.length)
            .put(header)
            .array());
  }

  private JsonFields config(String json) throws IOException {
    return JsonFields.read(Files.writeString(folder.resolve("config.json"), json));
  }

  /** DeepSeek-V3's own, V3.1's, one without blocks, and llm-compressor's three. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'quant_method': 'fp8', 'fmt': 'e4m3', 'activation_scheme': 'dynamic',"
            + " 'weight_block_size': [128, 128]}",
        "{'quant_method': 'fp8', 'scale_fmt': 'ue8m0', 'weight_block_size': [128, 128],"
            + " 'modules_to_not_convert': ['lm_head']}",
        "{'quant_method': 'fp8', 'activation_scheme': 'static'}",
        "{'quant_method': 'compressed-tensors', 'format': 'float-quantized', 'ignore': ['lm_head'],"
            + " 'config_groups': {'group_0': {'targets': ['Linear'], 'weights': {'num_bits': 8,"
            + " 'type': 'float', 'symmetric': true, 'strategy': 'channel', 'dynamic': false},"
            + " 'input_activations': {'num_bits': 8, 'type': 'float', 'strategy': 'token',"
            + " 'dynamic': true}, 'output_activations': null}}, 'kv_cache_scheme': null}",
        "{'quant_method': 'compressed-tensors', 'config_groups': {'group_0': {'weights':"
            + " {'num_bits': 8, 'type': 'float', 'strategy': 'tensor'}}}}",
        "{'quant_method': 'compressed-tensors', 'config_groups': {'group_0': {'weights':"
            + " {'num_bits': 8, 'type': 'float', 'strategy': 'block', 'block_structure': [128,"
            + " 128]}}}}"
      })
  void publishedFormsAreTaken(String json) throws IOException {
    JsonFields fields = config(json.replace('\'', '"'));
    assertThatCode(() -> Quantization.check(fields, folder)).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{'quant_method': 'awq', 'bits': 4} | quant_method is awq; expected fp8",
        "{'quant_method': 'gptq'} | quant_method is gptq",
        "{'quant_method': 'bitsandbytes'} | quant_method is bitsandbytes",
        "{'quant_method': 'mxfp4'} | quant_method is mxfp4",
        "{'quant_method': 'modelopt', 'quant_algo': 'NVFP4'} | quant_method is modelopt",
        "{'bits': 4} | quant_method is ; expected fp8",
        "{'quant_method': 'fp8', 'fmt': 'e5m2'} | fmt is e5m2; expected e4m3",
        "{'quant_method': 'fp8', 'weight_block_size': [64, 128]} | weight_block_size is [64, 128]",
        "{'quant_method': 'fp8', 'weight_block_size': 128} | weight_block_size is",
        "{'quant_method': 'compressed-tensors', 'kv_cache_scheme': {}} | kv_cache_scheme is",
        "{'quant_method': 'compressed-tensors', 'sparsity_config': {'format': 'sparse-24-bitmask'}}"
            + " | sparsity_config.format is sparse-24-bitmask",
        "{'quant_method': 'compressed-tensors', 'config_groups': {'g': {'weights': {'type':"
            + " 'int', 'num_bits': 4}}}} | config_groups.g.weights.type is int; expected float",
        "{'quant_method': 'compressed-tensors', 'config_groups': {'g': {'weights': {'type':"
            + " 'float', 'num_bits': 4}}}} | config_groups.g.weights.num_bits is 4; expected 8",
        "{'quant_method': 'compressed-tensors', 'config_groups': {'g': {'weights': {'type':"
            + " 'float', 'strategy': 'group'}}}} | config_groups.g.weights.strategy is group"
      })
  void othersAreRefusedByNameWhereATensorIsQuantized(String json, String message)
      throws IOException {
    JsonFields fields = config(json.replace('\'', '"'));
    assertThatThrownBy(() -> Quantization.check(fields, folder))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("config.json")
        .hasMessageContaining(message);
  }
}
