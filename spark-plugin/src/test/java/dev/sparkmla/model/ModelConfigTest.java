package dev.sparkmla.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.sparkmla.compute.QueryGrowth;
import dev.sparkmla.model.ModelConfig.Scales;
import dev.sparkmla.model.RopeScaling.LongRope;
import dev.sparkmla.model.RopeScaling.Yarn;
import dev.sparkmla.policy.RouterPolicy;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ModelConfigTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir private Path folder;

  @Test
  void readsDeepseekV2() {
    ModelConfig config = golden("deepseek-v2-group-limited");

    assertThat(config.architecture()).isEqualTo(Architecture.DeepseekV2ForCausalLM);
    assertThat(config.queryRank()).hasValue(24);
    assertThat(config.rope().interleaved()).isTrue();
    assertThat(config.experts().orElseThrow().router())
        .isEqualTo(
            new RouterPolicy(RouterPolicy.Method.SOFTMAX_GROUP_LIMITED, 8, 3, 4, 2, false, 4));
    assertThat(golden("deepseek-v2-greedy").experts().orElseThrow().router())
        .isEqualTo(new RouterPolicy(RouterPolicy.Method.SOFTMAX_GREEDY, 8, 2, 1, 1, false, 1.3f));
    assertThat(golden("deepseek-v2-greedy").queryRank()).isEmpty();
  }

  @Test
  void readsDeepseekV3() {
    ModelConfig config = golden("deepseek-v3");

    assertThat(config.architecture()).isEqualTo(Architecture.DeepseekV3ForCausalLM);
    assertThat(config.rope().base()).isEqualTo(10_000);
    assertThat(config.isSparse(0)).isFalse();
    assertThat(config.isSparse(1)).isTrue();
    assertThat(config.experts().orElseThrow().router())
        .isEqualTo(new RouterPolicy(RouterPolicy.Method.SIGMOID_BIASED, 8, 3, 4, 2, true, 2.5f));
    assertThat(golden("deepseek-v3-yarn-parameters").rope().interleaved()).isFalse();
    assertThat(golden("deepseek-v3-yarn-parameters").attentionBias()).isTrue();
  }

  @Test
  void readsGlm4MoeLite() {
    ModelConfig config = golden("glm4-moe-lite");

    assertThat(config.nopeSize()).isEqualTo(192);
    assertThat(config.valueSize()).isEqualTo(256);
    assertThat(config.normEpsilon()).isEqualTo(1e-5f);
    assertThat(config.latentNormEpsilon()).isEqualTo(1e-6f);
    assertThat(config.experts().orElseThrow().firstDenseLayers()).isEqualTo(1);
    assertThat(golden("glm4-moe-lite-two-heads").isSparse(0)).isTrue();
  }

  @Test
  void readsYoutu() {
    ModelConfig config = golden("youtu");

    assertThat(config.experts()).isEmpty();
    assertThat(config.tiedEmbedding()).isTrue();
    assertThat(config.rope().base()).isEqualTo(1_600_000);
  }

  @Test
  void readsMiniCpm3() throws IOException {
    ModelConfig config = golden("minicpm3");

    assertThat(config.scales()).isEqualTo(new Scales(3, (float) (2 / Math.sqrt(2)), 32f / 48));
    assertThat(config.rope().interleaved()).isFalse();
    assertThat(config.tiedEmbedding()).isTrue();
    assertThat(config.experts()).isEmpty();
    ObjectNode json = json("minicpm3");
    json.remove(List.of("scale_emb", "scale_depth", "dim_model_base", "v_head_dim"));
    assertThat(read(json).scales())
        .isEqualTo(new Scales(12, (float) (1.4 / Math.sqrt(2)), 256f / 48));
    assertThat(read(json).valueSize()).isEqualTo(48 / 2);
    json.putNull("scale_depth").putNull("dim_model_base");
    assertThat(read(json).scales()).isEqualTo(new Scales(12, 1, 1));
  }

  @Test
  void readsATextModelWithinALargerOne() throws IOException {
    ModelConfig config = golden("kimi-vl");

    assertThat(config.architecture()).isEqualTo(Architecture.KimiVLForConditionalGeneration);
    assertThat(config.rope().base()).isEqualTo(800_000);
    ObjectNode json = json("kimi-vl");
    json.remove("text_config");
    assertThatThrownBy(() -> read(json))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("text_config");
    ObjectNode other = json("kimi-vl");
    ((ObjectNode) other.get("text_config")).put("hidden_size", 0);
    assertThatThrownBy(() -> read(other))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("text_config.hidden_size is 0");
  }

  @Test
  void readsMistralSmall4() throws IOException {
    ModelConfig config = golden("mistral-small-4");

    assertThat(config.experts().orElseThrow().router())
        .isEqualTo(new RouterPolicy(RouterPolicy.Method.SOFTMAX_GREEDY, 8, 3, 1, 1, true, 1));
    assertThat(config.isSparse(0)).isTrue();
    assertThat(config.queryGrowth()).contains(new QueryGrowth(0.3, 256));
    assertThat(yarn(config).softmaxFactor()).isEqualTo(1);
    assertThat(yarn(config).attentionFactor()).isEqualTo(1);
    ObjectNode json = json("mistral-small-4");
    ObjectNode text = (ObjectNode) json.get("text_config");
    text.put("max_position_embeddings", 256);
    assertThat(read(json).queryGrowth()).isEmpty();
    text.put("n_group", 2);
    assertThatThrownBy(() -> read(json))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("n_group is 2; expected 1");
  }

  @Test
  void longRopeTakesTheFactorsOfItsContextWindow() throws IOException {
    ObjectNode json = json("minicpm3");
    LongRope withinOriginal = (LongRope) read(json).rope().scaling();
    json.put("max_position_embeddings", 4096);
    LongRope extended = (LongRope) read(json).rope().scaling();

    assertThat(withinOriginal.factors()).hasSize(16).startsWith(1.0, 1.0625);
    assertThat(extended.factors()).hasSize(16).startsWith(2.0, 2.125);
    assertThat(extended.attentionFactor())
        .isCloseTo(Math.sqrt(1 + Math.log(4) / Math.log(2048)), within(1e-12));
  }

  @Test
  void readsBothSpellingsOfYarn() {
    // Factor 8: 0.1 ln 8 + 1 = 1.20794...
    double temperature = 0.1 * Math.log(8) + 1;
    Yarn scaling = yarn(golden("deepseek-v3-yarn-scaling"));
    Yarn parameters = yarn(golden("deepseek-v3-yarn-parameters"));

    assertThat(golden("deepseek-v3-yarn-parameters").rope().base()).isEqualTo(20_000);
    assertThat(scaling.attentionFactor()).isEqualTo(1);
    assertThat(scaling.softmaxFactor()).isCloseTo(temperature * temperature, within(1e-12));
    assertThat(scaling.originalContext()).isEqualTo(256);
    assertThat(parameters.softmaxFactor())
        .isCloseTo(Math.pow(0.07 * Math.log(8) + 1, 2), within(1e-12));
    assertThat(parameters.attentionFactor())
        .isCloseTo(temperature / (0.07 * Math.log(8) + 1), within(1e-12));
  }

  @Test
  void aYarnWithoutMscaleScalesTheRotationAlone() throws IOException {
    ObjectNode json = json("deepseek-v3-yarn-scaling");
    ((ObjectNode) json.get("rope_scaling"))
        .remove(List.of("mscale", "mscale_all_dim", "beta_fast"));

    Yarn yarn = yarn(read(json));

    assertThat(yarn.attentionFactor()).isCloseTo(0.1 * Math.log(8) + 1, within(1e-12));
    assertThat(yarn.softmaxFactor()).isEqualTo(1);
    assertThat(yarn.betaFast()).isEqualTo(32);
  }

  @Test
  void defaultsAreThoseOfTheArchitecture() throws IOException {
    ObjectNode json = json("deepseek-v3");
    json.remove(
        List.of(
            "rope_parameters",
            "rms_norm_eps",
            "rope_interleave",
            "norm_topk_prob",
            "routed_scaling_factor",
            "tie_word_embeddings",
            "attention_bias",
            "hidden_act",
            "num_key_value_heads",
            "scoring_func",
            "topk_method"));

    assertThat(read(json)).isEqualTo(golden("deepseek-v3"));
  }

  @Test
  void anArchitectureThatIsNotSupportedIsNamed() throws IOException {
    ObjectNode json = json("youtu");
    json.putArray("architectures").add("LlamaForCausalLM");

    assertThatThrownBy(() -> read(json))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("config.json: architectures is [LlamaForCausalLM]; expected one of")
        .hasMessageContaining("DeepseekV3ForCausalLM");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "architectures | []",
        "architectures | 7",
        "hidden_size | 0",
        "hidden_size | -48",
        "hidden_size | 48.5",
        "hidden_size | \"48\"",
        "hidden_size | null",
        "hidden_size | 99999999999",
        "hidden_size | 1e400",
        "num_hidden_layers | 1000000",
        "num_attention_heads | 0",
        "num_key_value_heads | 1",
        "kv_lora_rank | 0",
        "qk_rope_head_dim | 33",
        "qk_rope_head_dim | 0",
        "qk_nope_head_dim | true",
        "v_head_dim | []",
        "qk_head_dim | 191",
        "eos_token_id | 320",
        "eos_token_id | -1",
        "vocab_size | {}",
        "q_lora_rank | 0",
        "hidden_act | \"gelu\"",
        "mlp_bias | true",
        "attention_bias | 1",
        "rms_norm_eps | -1",
        "rope_parameters | 7",
        "rope_parameters | {\"rope_type\":\"llama3\",\"factor\":2}",
        "rope_parameters | {\"rope_type\":\"linear\"}",
        "rope_parameters | {\"rope_type\":\"longrope\",\"short_factor\":[1,2]}",
        "rope_parameters | {\"rope_type\":\"yarn\"}",
        "rope_parameters | {\"rope_type\":\"yarn\",\"factor\":0.5}",
        "rope_parameters | {\"rope_theta\":0}",
        "rope_parameters | {\"partial_rotary_factor\":0.5}",
        "rope_scaling | {\"type\":\"dynamic\",\"factor\":2}",
        "max_position_embeddings | 0",
        "moe_layer_freq | 2",
        "scoring_func | \"softmax\"",
        "topk_method | \"greedy\"",
        "n_routed_experts | 7",
        "n_group | 3",
        "n_group | 8",
        "topk_group | 5",
        "num_experts_per_tok | 5",
        "num_experts_per_tok | 9",
        "n_shared_experts | -1",
        "moe_intermediate_size | 0",
        "first_k_dense_replace | -1"
      })
  void aValueThatCannotBeIsNamed(String key, String value) throws IOException {
    ObjectNode json = json("deepseek-v3");
    json.set(key, JSON.readTree(value));

    assertThatThrownBy(() -> read(json))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("config.json")
        .hasMessageContaining("expected");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "[\"sparse\",\"dense\"]",
        "[\"dense\"]",
        "[\"dense\",\"sparse\",\"sparse\"]",
        "[\"dense\",\"other\"]",
        "[1,2]"
      })
  void layerTypesOutOfOrderAreNamed(String types) throws IOException {
    ObjectNode json = json("glm4-moe-lite");
    json.set("mlp_layer_types", JSON.readTree(types));

    assertThatThrownBy(() -> read(json))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("mlp_layer_types");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "{", "[]", "7", "{\"a\":1,\"a\":1}", "{} {}", "\u0000", "{\"architectures\":"})
  void aFileThatIsNoJsonObjectIsNamed(String content) throws IOException {
    Files.writeString(folder.resolve("config.json"), content);

    assertThatThrownBy(() -> ModelConfig.read(folder))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("config.json");
  }

  @Test
  void deepNestingIsRefused() throws IOException {
    Files.writeString(folder.resolve("config.json"), "{\"a\":".repeat(1_000_000));

    assertThatThrownBy(() -> ModelConfig.read(folder)).isInstanceOf(ModelFormatException.class);
  }

  @Test
  void aMissingFileIsNamed() {
    assertThatThrownBy(() -> ModelConfig.read(folder))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("config.json: is missing");
  }

  private static Yarn yarn(ModelConfig config) {
    return (Yarn) config.rope().scaling();
  }

  private static ModelConfig golden(String name) {
    return ModelConfig.read(Path.of("src", "test", "golden", name));
  }

  private static ObjectNode json(String name) throws IOException {
    Path file = Path.of("src", "test", "golden", name, "config.json");
    return (ObjectNode) JSON.readTree(Files.readString(file));
  }

  private ModelConfig read(ObjectNode json) throws IOException {
    Files.writeString(folder.resolve("config.json"), json.toString());
    return ModelConfig.read(folder);
  }
}
