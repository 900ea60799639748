"""One row per operator: its name, the formula of its cost, its traits, inputs and other names.

    Conv conv convolution float-product (data weight bias) tflite:CONV_2D[nhwc,activation]

is the operator ``Conv``, whose work the formula ``conv`` of `analysis.cost.operators` counts
(``2/output`` is two operations per element of the output, ``free`` none, ``-`` unknown), which has
the traits ``convolution`` and ``float-product`` (see `trait.py`), takes data, a weight and a bias,
and is called ``CONV_2D`` in TFLite, where it is channels last and may end in an activation.
``past>1`` is a cache that comes back, longer, as output 1, and ``state>1`` a state that comes back
with new contents. Indented lines continue a row.
"""

from __future__ import annotations

ROWS = """
# Convolutions

CausalConvWithState conv (data weight bias state>1)
Conv conv convolution float-product (data weight bias) tflite:CONV_2D[nhwc,activation]
    tflite:DEPTHWISE_CONV_2D[nhwc,activation,cost=depthwise]
    tflite:CONV_3D[nhwc,activation,cost=conv_channels_last]
    openvino:Convolution coreml:conv
    coreml:convolution coreml:convolution3d
    aten:conv1d aten:conv2d aten:conv3d aten:convolution
ConvInteger conv convolution integer-product (data weight data-zero weight-zero)
ConvTranspose conv_transpose transposed-convolution float-product (data weight bias)
    tflite:TRANSPOSE_CONV[nhwc,activation,cost=conv_transpose_nhwc,shape+weight+data+bias]
    tflite:CONV_3D_TRANSPOSE[nhwc,activation,cost=conv_transpose_nhwc,shape+weight+data+bias]
    openvino:ConvolutionBackpropData coreml:conv_transpose
    coreml:deconvolution
    aten:conv_transpose1d aten:conv_transpose2d aten:conv_transpose3d
DeformConv deform_conv (data weight offset bias mask) openvino:DeformableConvolution
    torchvision:deform_conv2d[cost=-,data+weight+offset+mask+bias]
QLinearConv conv convolution integer-product
    (data data-scale data-zero weight weight-scale weight-zero output-scale output-zero bias)
com.microsoft.CausalConvWithState conv (data weight bias state>1)
com.microsoft.ConvTransposeWithDynamicPads conv_transpose transposed-convolution
    (data weight pads bias)
com.microsoft.FusedConv conv convolution float-product (data weight bias)
com.microsoft.NhwcConv conv convolution (data weight bias)
com.microsoft.NhwcFusedConv conv convolution (data weight bias)
com.microsoft.QLinearConv conv convolution integer-product
    (data data-scale data-zero weight weight-scale weight-zero output-scale output-zero bias)
com.microsoft.nchwc.Conv conv convolution (data weight bias)

# Matrix products

Einsum einsum contraction stops-transpose openvino:Einsum coreml:einsum
    aten:einsum
    tensorflow:Einsum
Gemm matmul gemm float-product (data weight bias)
    tflite:FULLY_CONNECTED[activation,weight-transposed,cost=fully_connected]
    coreml:innerProduct[weight-transposed]
    aten:linear[weight-transposed,cost=fully_connected] aten:addmm
MatMul matmul matmul float-product stops-transpose (data weight)
    tflite:BATCH_MATMUL[cost=batch_matmul]
    openvino:MatMul
    coreml:matmul
    coreml:batchedMatmul
    aten:matmul aten:mm aten:bmm aten:mv aten:dot
    tensorflow:MatMul tensorflow:BatchMatMul[cost=batch_matmul]
    tensorflow:BatchMatMulV2[cost=batch_matmul] tensorflow:BatchMatMulV3[cost=batch_matmul]
MatMulInteger matmul matmul integer-product (data weight data-zero weight-zero)
QLinearMatMul matmul matmul integer-product
    (data data-scale data-zero weight weight-scale weight-zero output-scale output-zero)
com.microsoft.DynamicQuantizeMatMul matmul matmul integer-product
    (data weight weight-scale weight-zero bias)
com.microsoft.FusedGemm matmul gemm float-product (data weight bias)
com.microsoft.FusedMatMul matmul matmul float-product (data weight)
com.microsoft.FusedMatMulActivation matmul matmul (data weight)
com.microsoft.GemmFastGelu matmul gemm (data weight bias)
com.microsoft.GemmFloat8 matmul gemm (data weight bias)
com.microsoft.MatMulBnb4 matmul_blocks matmul block-weights (data weight weight-scale)
com.microsoft.MatMulFpQ4 - matmul block-weights (data weight weight-shape)
com.microsoft.MatMulInteger16 matmul matmul integer-product (data weight)
com.microsoft.MatMulIntegerToFloat matmul matmul integer-product
    (data weight data-scale weight-scale data-zero weight-zero bias)
com.microsoft.MatMulNBits matmul_blocks matmul block-weights
    (data weight weight-scale weight-zero group-index)
com.microsoft.MoE experts experts (data routing weight bias weight bias weight bias)
com.microsoft.QGemm matmul gemm integer-product
    (data data-scale data-zero weight weight-scale weight-zero bias output-scale output-zero)
com.microsoft.QMoE experts experts
    (data routing weight weight-scale bias weight weight-scale bias weight weight-scale bias)
com.microsoft.QOrderedMatMul matmul matmul integer-kernel
com.microsoft.SparseToDenseMatMul matmul matmul (data weight)
com.microsoft.TransposeMatMul matmul matmul (data weight)

# Attention and recurrence

Attention attention attention (query key value mask past>1 past>2)
    aten:scaled_dot_product_attention[cost=scaled_attention]
    aten:_scaled_dot_product_flash_attention_for_cpu[cost=scaled_attention]
GRU recurrent recurrent (data weight recurrence bias lengths state>1)
LSTM recurrent recurrent (data weight recurrence bias lengths state>1 state>2 peephole)
LinearAttention linear_attention attention (query key value state>1)
RNN recurrent recurrent (data weight recurrence bias lengths state>1)
RotaryEmbedding 4/output (data positions) openvino:RoPE
com.microsoft.Attention projected_attention attention (data weight bias mask past>1)
com.microsoft.DecoderMaskedMultiHeadAttention - attention
    (query key value mask bias past>1 past>2)
com.microsoft.DynamicQuantizeLSTM recurrent integer-kernel
com.microsoft.GemmaRotaryEmbedding 4/output
com.microsoft.GroupQueryAttention grouped_query_attention attention
    (query key value past>1 past>2 lengths length positions)
com.microsoft.LinearAttention linear_attention attention (query key value state>1)
com.microsoft.MRotaryEmbedding 4/output
com.microsoft.MultiHeadAttention multi_head_attention attention
    (query key value bias mask bias past>1 past>2)
com.microsoft.PackedMultiHeadAttention - attention
com.microsoft.PagedAttention - attention (query key value past>1 past>2)
com.microsoft.QAttention projected_attention integer-product attention
    (data weight bias data-scale weight-scale mask data-zero weight-zero past>1)
com.microsoft.QOrderedAttention - integer-kernel
com.microsoft.RotaryEmbedding 4/output (data index positions)
com.microsoft.SparseAttention - attention (query key value past>1 past>2)
ai.onnx.preview.FlexAttention attention attention (query key value)

tflite.BIDIRECTIONAL_SEQUENCE_LSTM cells
tflite.BIDIRECTIONAL_SEQUENCE_RNN cells
tflite.LSTM cells
tflite.RNN cells
tflite.SVDF cells
tflite.UNIDIRECTIONAL_SEQUENCE_LSTM cells
tflite.UNIDIRECTIONAL_SEQUENCE_RNN cells

# Normalization

BatchNormalization 2/output normalization pointwise quantizable in-place epilogue
    widened
    (data scale bias statistic statistic) openvino:BatchNormInference coreml:batch_norm
    coreml:batchnorm
    aten:batch_norm aten:_native_batch_norm_legit_no_training aten:_native_batch_norm_legit
    aten:_native_batch_norm_legit_functional aten:native_batch_norm
GroupNormalization 8/input normalization sensitive widened openvino:GroupNormalization
    aten:group_norm aten:native_group_norm
InstanceNormalization 8/input normalization sensitive widened coreml:instance_norm
    aten:instance_norm
LRN local_response tflite:LOCAL_RESPONSE_NORMALIZATION[nhwc] openvino:LRN
    coreml:local_response_norm
    coreml:lrn
    tensorflow:LRN[nhwc]
LayerNormalization 8/input normalization sensitive in-place stops-transpose widened
    coreml:layer_norm
    coreml:layerNormalization
    aten:layer_norm aten:native_layer_norm
LpNormalization 2/input normalization sensitive tflite:L2_NORMALIZATION[activation]
    openvino:NormalizeL2 coreml:l2_norm
    coreml:l2normalize
MeanVarianceNormalization 8/input normalization sensitive openvino:MVN
    coreml:mvn
RMSNormalization 8/input normalization sensitive in-place widened openvino:RMS
    aten:rms_norm aten:_fused_rms_norm
SimplifiedLayerNormalization 8/input normalization sensitive in-place widened
com.microsoft.EmbedLayerNormalization 10/output normalization
com.microsoft.GroupNorm 8/input normalization
com.microsoft.QEmbedLayerNormalization - integer-kernel
com.microsoft.QOrderedLayerNormalization 8/input integer-kernel normalization
com.microsoft.SimplifiedLayerNormalization 8/input normalization sensitive
com.microsoft.SkipGroupNorm 9/input normalization
com.microsoft.SkipLayerNormalization 9/input normalization skip-normalization sensitive in-place
com.microsoft.SkipSimplifiedLayerNormalization 9/input normalization skip-normalization
    sensitive in-place
ai.onnx.ml.Normalizer 2/input

# Quantization

DequantizeLinear 2/output dequantize widened (data data-scale data-zero) coreml:dequantize
    coreml:constexpr_affine_dequantize coreml:constexpr_blockwise_shift_scale
    quantized_decomposed:dequantize_per_tensor quantized_decomposed:dequantize_per_channel
    quantized_decomposed:dequantize_per_token
DynamicQuantizeLinear 3/output integer-kernel
QuantizeLinear 2/output pointwise quantize widened (data data-scale data-zero) coreml:quantize
    quantized_decomposed:quantize_per_tensor quantized_decomposed:quantize_per_channel
    quantized_decomposed:quantize_per_token
trt.TRT_FP8DequantizeLinear - dequantize (data data-scale data-zero)
trt.TRT_FP8QuantizeLinear - quantize (data data-scale data-zero)
trt.TRT_INT4DequantizeLinear - dequantize (data data-scale data-zero)
trt.TRT_INT4QuantizeLinear - quantize (data data-scale data-zero)
trt.TRT_INT8DequantizeLinear - dequantize (data data-scale data-zero)
trt.TRT_INT8QuantizeLinear - quantize (data data-scale data-zero)
com.microsoft.DequantizeBFP 2/output
com.microsoft.DequantizeLinear 2/output dequantize (data data-scale data-zero)
com.microsoft.DequantizeWithOrder 2/output
com.microsoft.GatherBlockQuantized 2/output (data index data-scale data-zero)
com.microsoft.QuantizeBFP 2/output
com.microsoft.QuantizeLinear 2/output pointwise quantize (data data-scale data-zero)
com.microsoft.QuantizeWithOrder 2/output
tflite.DEQUANTIZE 2/output cast unpacks
tflite.FAKE_QUANT 4/output
tflite.QUANTIZE 2/output cast

# Activations

Celu 2/output pointwise in-place
Clip clip activation pointwise quantizable in-place epilogue crossed-by-transpose
    clips (data bound bound)
    tflite:RELU6 tflite:RELU_N1_TO_1 tflite:RELU_0_TO_1 openvino:Clamp coreml:clip coreml:relu6
    aten:clamp aten:clamp_min aten:clamp_max aten:hardtanh aten:relu6
    tensorflow:Relu6 tensorflow:ClipByValue numpy:clip
Elu 2/output activation curved pointwise quantizable in-place tflite:ELU openvino:Elu coreml:elu
    coreml:ELU
    aten:elu
    tensorflow:Elu
Gelu 5/output curved gelu pointwise quantizable sensitive in-place crossed-by-transpose tflite:GELU
    openvino:Gelu
    coreml:gelu
    aten:gelu
HardSigmoid 2/output activation sigmoid pointwise quantizable in-place
    crossed-by-transpose never-negative
    openvino:HardSigmoid openvino:HSigmoid coreml:sigmoid_hard
    coreml:sigmoidHard
    aten:hardsigmoid
HardSwish 3/output activation curved pointwise quantizable in-place
    crossed-by-transpose
    tflite:HARD_SWISH openvino:HSwish
    aten:hardswish
Hardmax 1/input
LeakyRelu 1/output activation pointwise quantizable in-place epilogue
    crossed-by-transpose
    tflite:LEAKY_RELU coreml:leaky_relu
    coreml:leakyReLU
    aten:leaky_relu
    tensorflow:LeakyRelu
LogSoftmax 5/input softmax sensitive in-place widened tflite:LOG_SOFTMAX openvino:LogSoftmax
    aten:log_softmax aten:_log_softmax
    tensorflow:LogSoftmax
Mish 5/output activation curved pointwise quantizable in-place openvino:Mish
    aten:mish
PRelu 1/output activation pointwise quantizable in-place tflite:PRELU openvino:PReLU
    coreml:prelu
    coreml:PReLU
    aten:prelu aten:_prelu_kernel
Relu 1/output activation pointwise quantizable in-place epilogue crossed-by-transpose
    clips never-negative tflite:RELU
    openvino:ReLU coreml:relu
    coreml:ReLU
    aten:relu
    tensorflow:Relu
Selu 2/output activation curved pointwise quantizable in-place openvino:Selu
    aten:selu
    tensorflow:Selu
Shrink 2/output in-place
Sigmoid 3/output activation sigmoid pointwise quantizable in-place epilogue
    crossed-by-transpose never-negative
    tflite:LOGISTIC openvino:Sigmoid coreml:sigmoid
    tflite:STABLEHLO_LOGISTIC
    aten:sigmoid
    tensorflow:Sigmoid
Softmax 5/input softmax sensitive in-place crossed-by-transpose widened never-negative
    tflite:SOFTMAX openvino:SoftMax coreml:softmax
    coreml:softmaxND
    aten:softmax aten:_softmax
    tensorflow:Softmax
Softplus 2/output activation curved pointwise quantizable in-place widened never-negative
    openvino:SoftPlus
    coreml:softplus coreml:softplus_parametric
    coreml:parametricSoftplus
    aten:softplus
    tensorflow:Softplus
Softsign 2/output pointwise in-place openvino:SoftSign coreml:softsign
    tensorflow:Softsign
SwiGLU 5/output curved pointwise quantizable in-place
Swish 4/output activation curved pointwise quantizable in-place openvino:Swish coreml:silu
    aten:silu
Tanh 1/output activation pointwise quantizable in-place epilogue crossed-by-transpose
    tflite:TANH
    openvino:Tanh coreml:tanh coreml:scaled_tanh
    tflite:STABLEHLO_TANH
    coreml:scaledTanh
    aten:tanh
    tensorflow:Tanh
ThresholdedRelu 1/output activation pointwise quantizable in-place coreml:thresholded_relu
    coreml:thresholdedReLU
com.microsoft.BiasGelu 6/output in-place
com.microsoft.BiasSoftmax 5/input softmax
com.microsoft.BiasSplitGelu 6/output
com.microsoft.FastGelu 6/output curved gelu pointwise quantizable sensitive in-place
com.microsoft.Gelu 5/output curved gelu pointwise quantizable sensitive in-place
    crossed-by-transpose
com.microsoft.QLinearLeakyRelu 5/output integer-kernel
com.microsoft.QLinearSigmoid 6/output integer-kernel sigmoid
com.microsoft.QLinearSoftmax 5/input integer-kernel softmax
com.microsoft.QOrderedGelu 5/output integer-kernel
com.microsoft.QuickGelu 4/output curved gelu pointwise quantizable sensitive in-place
com.microsoft.ScaledSiLU 3/output

# Pooling and reductions

ArgMax 1/input reduces tflite:ARG_MAX coreml:reduce_argmax
    coreml:argMax
    aten:argmax
    tensorflow:ArgMax
ArgMin 1/input reduces tflite:ARG_MIN coreml:reduce_argmin
    coreml:argMin
    aten:argmin
    tensorflow:ArgMin
AveragePool pool pool quantizable tflite:AVERAGE_POOL_2D[nhwc,activation,cost=window]
    openvino:AvgPool coreml:avg_pool
    coreml:pooling coreml:pooling3d
    aten:avg_pool1d aten:avg_pool2d aten:avg_pool3d
    tensorflow:AvgPool[nhwc] tensorflow:AvgPool3D[nhwc]
CumProd 1/input widened
    aten:cumprod
    tensorflow:Cumprod
CumSum 1/input stops-transpose widened tflite:CUMSUM openvino:CumSum coreml:cumsum
    coreml:cumSum
    aten:cumsum
    tensorflow:Cumsum
GlobalAveragePool 1/input mean reduces quantizable openvino:AdaptiveAvgPool
    coreml:globalPooling3d
    aten:adaptive_avg_pool1d aten:adaptive_avg_pool2d aten:adaptive_avg_pool3d
    aten:_adaptive_avg_pool2d
GlobalLpPool 2/input reduces
GlobalMaxPool 1/input reduces quantizable openvino:AdaptiveMaxPool
    aten:adaptive_max_pool1d aten:adaptive_max_pool2d aten:adaptive_max_pool3d
LpPool pool pool tflite:L2_POOL_2D[nhwc,activation,cost=window] coreml:l2_pool
MaxPool pool pool moves crossed-by-ort tflite:MAX_POOL_2D[nhwc,activation,cost=window]
    openvino:MaxPool coreml:max_pool
    aten:max_pool1d aten:max_pool2d aten:max_pool3d aten:max_pool2d_with_indices
    aten:max_pool3d_with_indices
    tensorflow:MaxPool[nhwc] tensorflow:MaxPool3D[nhwc] tensorflow:MaxPoolWithArgmax[nhwc]
MaxRoiPool roi openvino:ROIPooling
MaxUnpool free
ReduceL1 1/input reduces openvino:ReduceL1 coreml:reduce_l1_norm
    coreml:reduceL1
ReduceL2 2/input reduces widened openvino:ReduceL2 coreml:reduce_l2_norm
    coreml:reduceL2
    aten:linalg_vector_norm aten:norm
    tensorflow:EuclideanNorm
ReduceLogSum 2/input reduces coreml:reduce_log_sum
    coreml:reduceLogSum
ReduceLogSumExp 3/input reduces widened coreml:reduce_log_sum_exp
    coreml:reduceLogSumExp
    aten:logsumexp
ReduceMax 1/input reduces tflite:REDUCE_MAX tflite:REDUCE_ANY openvino:ReduceMax
    openvino:ReduceLogicalOr coreml:reduce_max
    coreml:reduceMax
    aten:amax aten:max aten:any
    tensorflow:Max tensorflow:Any numpy:max
ReduceMean 1/input mean reduces quantizable widened tflite:MEAN openvino:ReduceMean
    coreml:reduce_mean
    coreml:reduceMean
    aten:mean
    tensorflow:Mean
ReduceMin 1/input reduces tflite:REDUCE_MIN tflite:REDUCE_ALL openvino:ReduceMin
    openvino:ReduceLogicalAnd coreml:reduce_min
    coreml:reduceMin
    aten:amin aten:min aten:all
    tensorflow:Min tensorflow:All numpy:min
ReduceProd 1/input reduces tflite:REDUCE_PROD openvino:ReduceProd coreml:reduce_prod
    coreml:reduceProd
    aten:prod
    tensorflow:Prod numpy:prod
ReduceSum 1/input reduces widened tflite:SUM openvino:ReduceSum coreml:reduce_sum
    coreml:reduceSum coreml:reduce
    aten:sum
    tensorflow:Sum numpy:sum
ReduceSumSquare 2/input reduces widened coreml:reduce_sum_square
    coreml:reduceSumSquare
RoiAlign roi openvino:ROIAlign coreml:crop_resize
    coreml:cropResize
    torchvision:roi_align
com.microsoft.NhwcMaxPool pool pool
com.microsoft.QLinearAveragePool pool integer-kernel pool
com.microsoft.QLinearGlobalAveragePool 1/input integer-kernel mean reduces
com.microsoft.QLinearReduceMean 1/input integer-kernel mean reduces
com.microsoft.ReduceSumInteger 1/input reduces
com.microsoft.nchwc.AveragePool pool pool
com.microsoft.nchwc.GlobalAveragePool 1/input mean reduces
com.microsoft.nchwc.MaxPool pool pool

# Views and layout

BitCast free tflite:BITCAST openvino:Bitcast
    tensorflow:Bitcast
Cast free pointwise transparent cast moves crossed-by-ort crossed-by-transpose propagated
    tflite:CAST
    openvino:Convert
    coreml:cast
    tflite:STABLEHLO_CONVERT
    aten:to aten:_to_copy aten:type_as
    tensorflow:Cast numpy:astype
CastLike free cast openvino:ConvertLike
DepthToSpace free moves tflite:DEPTH_TO_SPACE[nhwc] openvino:DepthToSpace coreml:depth_to_space
    coreml:pixel_shuffle
    coreml:reorganizeData
    aten:pixel_shuffle
    tensorflow:DepthToSpace[nhwc]
Dropout free pointwise quantizable view transparent drops crossed-by-transpose
    aten:dropout aten:native_dropout aten:feature_dropout aten:alpha_dropout
Flatten free view moves reshapes coreml:flatten2d
    coreml:flatten coreml:flattenTo2D
Identity free view transparent moves crossed-by-ort crossed-by-transpose openvino:Identity
    coreml:identity
    coreml:copy
    aten:clone aten:contiguous aten:alias aten:detach aten:lift_fresh_copy aten:detach_
    tensorflow:Identity numpy:copy
Optional free makes-optional
Reshape free view moves crossed-by-ort reshapes (data shape) tflite:RESHAPE openvino:Reshape
    coreml:reshape coreml:reshape_like
    tflite:STABLEHLO_RESHAPE
    coreml:reshapeStatic coreml:reshapeDynamic coreml:reshapeLike coreml:rankPreservingReshape
    aten:view aten:reshape aten:_unsafe_view aten:flatten aten:unflatten aten:reshape_as
    aten:view_as
    tensorflow:Reshape numpy:reshape
SpaceToDepth free moves tflite:SPACE_TO_DEPTH[nhwc] openvino:SpaceToDepth coreml:space_to_depth
    coreml:pixel_unshuffle
    aten:pixel_unshuffle
    tensorflow:SpaceToDepth[nhwc]
Squeeze free view moves crossed-by-ort reshapes propagated
    (data axes) tflite:SQUEEZE openvino:Squeeze
    coreml:squeeze
    aten:squeeze
    tensorflow:Squeeze numpy:squeeze
Transpose free transpose moves crossed-by-ort tflite:TRANSPOSE openvino:Transpose
    coreml:transpose
    tflite:STABLEHLO_TRANSPOSE
    coreml:permute
    aten:permute aten:transpose aten:swapaxes aten:t aten:movedim aten:numpy_T
    tensorflow:Transpose numpy:transpose
Unsqueeze free view moves crossed-by-ort reshapes propagated
    (data axes) tflite:EXPAND_DIMS openvino:Unsqueeze
    coreml:expand_dims
    coreml:expandDims
    aten:unsqueeze
    tensorflow:ExpandDims numpy:expand_dims
com.microsoft.ExpandDims free view
com.microsoft.nchwc.ReorderInput free
com.microsoft.nchwc.ReorderOutput free

# Control flow, sequences and optionals

ConcatFromSequence free
If - control-flow tflite:IF openvino:If coreml:cond
    coreml:branch
    higher_order:cond
    tensorflow:If tensorflow:StatelessIf tensorflow:Case tensorflow:StatelessCase
Loop - control-flow tflite:WHILE openvino:Loop coreml:while_loop
    coreml:loop
    higher_order:while_loop
    tensorflow:While tensorflow:StatelessWhile
OptionalGetElement free
OptionalHasElement free
Scan - control-flow openvino:TensorIterator
    higher_order:scan
SequenceAt free coreml:list_read
SequenceConstruct free makes-sequence coreml:make_list
SequenceEmpty free makes-sequence
SequenceErase free
SequenceInsert free coreml:list_write
SequenceLength free coreml:list_length
SequenceMap - makes-sequence control-flow
SplitToSequence free makes-sequence
tflite.ASSIGN_VARIABLE free writes-state
tflite.CALL - control-flow
tflite.CALL_ONCE - control-flow writes-state
tflite.DELEGATE -
tflite.HASHTABLE free
tflite.HASHTABLE_FIND free
tflite.HASHTABLE_IMPORT free writes-state
tflite.HASHTABLE_SIZE free
tflite.READ_VARIABLE free
tflite.STABLEHLO_CASE - control-flow
tflite.STABLEHLO_COMPOSITE - control-flow
tflite.STABLEHLO_CUSTOM_CALL -
tflite.VAR_HANDLE free

# Selecting, joining and filling

BlackmanWindow free
CenterCropPad free stretched
Col2Im free openvino:Col2Im
Compress free selects sized-by-data
Concat free quantizable extends concatenates joins runs-alone propagated
    tflite:CONCATENATION[activation]
    tflite:PACK[new-axis] openvino:Concat coreml:concat coreml:stack[new-axis]
    tflite:STABLEHLO_CONCATENATE
    coreml:concatND
    aten:cat aten:concat aten:stack[new-axis]
    tensorflow:ConcatV2 tensorflow:Concat tensorflow:Pack[new-axis] numpy:concatenate
Constant free constant openvino:Constant coreml:const
    coreml:loadConstant coreml:loadConstantND
ConstantOfShape free makes-shapes stretched (shape) tflite:FILL coreml:fill
    coreml:fillStatic coreml:fillDynamic coreml:fillLike
    aten:full aten:zeros aten:ones aten:new_zeros aten:new_ones aten:new_full aten:empty
    aten:new_empty aten:full_like aten:zeros_like aten:ones_like aten:empty_like aten:scalar_tensor
    tensorflow:Fill numpy:full
Expand free moves crossed-by-ort broadcast stretched
    (data shape) tflite:BROADCAST_TO openvino:Broadcast
    tflite:STABLEHLO_BROADCAST_IN_DIM
    coreml:broadcastToLike coreml:broadcastToStatic coreml:broadcastToDynamic
    aten:expand aten:expand_as aten:broadcast_to
    tensorflow:BroadcastTo numpy:broadcast_to
EyeLike free makes-shapes openvino:Eye
Gather free quantizable selects runs-alone stops-transpose propagated (data any-index) tflite:GATHER
    openvino:Gather
    coreml:gather
    coreml:embedding coreml:embeddingND
    aten:embedding[weight-first] aten:index_select aten:select[one-index]
    tensorflow:GatherV2 tensorflow:Gather tensorflow:ResourceGather numpy:take
GatherElements free selects (data any-index) openvino:GatherElements coreml:gather_along_axis
    coreml:gatherAlongAxis
    aten:gather
GatherND free selects tflite:GATHER_ND openvino:GatherND coreml:gather_nd
    coreml:gatherND
    aten:index
    tensorflow:GatherNd tensorflow:ResourceGatherNd
HammingWindow free
HannWindow free
ImageDecoder free
MelWeightMatrix free
NonMaxSuppression free sized-by-data widened tflite:NON_MAX_SUPPRESSION_V4
    tflite:NON_MAX_SUPPRESSION_V5
    openvino:NonMaxSuppression coreml:non_maximum_suppression
    coreml:NonMaximumSuppression coreml:nonMaximumSuppression
    torchvision:nms
    tensorflow:NonMaxSuppressionV2 tensorflow:NonMaxSuppressionV3 tensorflow:NonMaxSuppressionV4
    tensorflow:NonMaxSuppressionV5 tensorflow:CombinedNonMaxSuppression
NonZero free runs-alone sized-by-data tflite:WHERE[transposed] openvino:NonZero coreml:non_zero
    coreml:whereNonZero
    aten:nonzero[transposed]
    tensorflow:Where[transposed]
OneHot free stretched (data size) tflite:ONE_HOT openvino:OneHot coreml:one_hot
    coreml:oneHot
    aten:one_hot
    tensorflow:OneHot
Pad free moves runs-alone stretched (data size filler) tflite:PAD tflite:PADV2 tflite:MIRROR_PAD
    openvino:Pad coreml:pad
    tflite:STABLEHLO_PAD
    coreml:padding coreml:constantPad
    aten:pad aten:constant_pad_nd aten:reflection_pad1d aten:reflection_pad2d aten:replication_pad1d
    aten:replication_pad2d
    tensorflow:Pad tensorflow:PadV2 tensorflow:MirrorPad
Range free makes-shapes widened stretched
    (size size size) tflite:RANGE openvino:Range coreml:range_1d
    tflite:STABLEHLO_IOTA
    coreml:rangeStatic coreml:rangeDynamic
    aten:arange
    tensorflow:Range numpy:arange
RegexFullMatch free
Resize resize quantizable runs-alone widened stretched (data region factors extent)
    tflite:RESIZE_BILINEAR[nhwc,cost=8/output]
    tflite:RESIZE_NEAREST_NEIGHBOR[nhwc] openvino:Interpolate coreml:resize
    coreml:resize_bilinear coreml:resize_nearest_neighbor coreml:upsample_bilinear
    coreml:upsample_nearest_neighbor
    coreml:upsample coreml:resizeBilinear
    aten:upsample_nearest1d aten:upsample_nearest2d aten:upsample_nearest3d aten:upsample_linear1d
    aten:upsample_bilinear2d aten:upsample_trilinear3d aten:upsample_bicubic2d
    tensorflow:ResizeBilinear[nhwc,cost=8/output] tensorflow:ResizeNearestNeighbor[nhwc]
    tensorflow:ResizeBicubic[nhwc,cost=32/output]
ReverseSequence free tflite:REVERSE_SEQUENCE tflite:REVERSE_V2 openvino:ReverseSequence
    coreml:reverse_sequence coreml:reverse
    coreml:reverseSeq
    tensorflow:ReverseSequence tensorflow:ReverseV2
Scatter free
ScatterElements free extends (data index update) openvino:ScatterElementsUpdate
    coreml:scatter_along_axis
    coreml:scatterAlongAxis
    aten:scatter aten:scatter_add aten:scatter_reduce
ScatterND free extends (data index update) tflite:SCATTER_ND openvino:ScatterNDUpdate
    coreml:scatter_nd
    coreml:scatterND
    aten:index_put
    tensorflow:ScatterNd tensorflow:TensorScatterUpdate
Shape free reads-shape makes-shapes propagated tflite:SHAPE openvino:ShapeOf coreml:shape
    coreml:getShape
    tensorflow:Shape numpy:shape
Size free reads-shape makes-shapes
    tensorflow:Size numpy:size
Slice free moves crossed-by-ort selects propagated (data size size index size) tflite:SLICE
    tflite:STRIDED_SLICE openvino:Slice openvino:StridedSlice coreml:slice_by_index
    coreml:slice_by_size
    tflite:STABLEHLO_SLICE tflite:STABLEHLO_DYNAMIC_SLICE
    coreml:slice coreml:sliceStatic coreml:sliceDynamic coreml:sliceBySize
    aten:slice aten:narrow
    tensorflow:Slice tensorflow:StridedSlice numpy:getitem
Split free moves selects runs-alone tflite:SPLIT tflite:SPLIT_V tflite:UNPACK[removes-axis]
    openvino:Split openvino:VariadicSplit coreml:split
    coreml:splitND
    aten:split aten:split_with_sizes aten:chunk aten:unbind[removes-axis] aten:tensor_split
    tensorflow:Split tensorflow:SplitV tensorflow:Unpack[removes-axis] numpy:split
StringSplit free sized-by-data
TensorScatter free extends (past>0 update index)
TfIdfVectorizer free stretched
Tile free moves broadcast stretched (data size) tflite:TILE openvino:Tile coreml:tile
    aten:repeat
    tensorflow:Tile numpy:tile
TopK sort runs-alone widened (data size) tflite:TOPK_V2 openvino:TopK coreml:topk
    coreml:topK
    aten:topk
    tensorflow:TopKV2 tensorflow:TopK
Trilu free coreml:band_part
    coreml:matrixBandPart coreml:lowerTriangular coreml:upperTriangular
    aten:tril aten:triu
Unique free sized-by-data tflite:UNIQUE openvino:Unique
    aten:_unique2 aten:unique_dim aten:unique_consecutive
    tensorflow:Unique tensorflow:UniqueV2
Upsample resize runs-alone stretched (data factors)
Where free broadcasts formula-scalar pointwise quantizable in-place tflite:SELECT
    tflite:SELECT_V2 openvino:Select coreml:select
    tflite:STABLEHLO_SELECT
    coreml:whereBroadcastable
    aten:where aten:masked_fill
    tensorflow:SelectV2 tensorflow:Select numpy:where
com.microsoft.CropAndResize free
com.microsoft.EPContext free
com.microsoft.GatherND free selects
com.microsoft.MurmurHash3 free
com.microsoft.Pad free moves runs-alone (data size filler)
com.microsoft.QLinearConcat free integer-kernel
com.microsoft.QLinearWhere free integer-kernel
com.microsoft.Range free makes-shapes
com.microsoft.RemovePadding free
com.microsoft.RestorePadding free
com.microsoft.Tokenizer free
com.microsoft.TorchEmbedding free
com.microsoft.Trilu free
com.microsoft.UnfoldTensor free
com.microsoft.Unique free
com.microsoft.nchwc.Upsample resize runs-alone
tflite.BATCH_TO_SPACE_ND free folds-batch
tflite.BROADCAST_ARGS free makes-shapes
tflite.BUCKETIZE free
tflite.CONCAT_EMBEDDINGS free
tflite.DENSIFY free unpacks
tflite.DILATE free
tflite.DYNAMIC_UPDATE_SLICE free extends (data update index)
tflite.EMBEDDING_LOOKUP free (index data)
tflite.EMBEDDING_LOOKUP_SPARSE - (index shape weight data)
tflite.HASHTABLE_LOOKUP free
tflite.LSH_PROJECTION free
tflite.MATRIX_DIAG free
tflite.MATRIX_SET_DIAG free
tflite.RANK free reads-shape makes-shapes
tflite.SKIP_GRAM free sized-by-data
tflite.SPACE_TO_BATCH_ND free folds-batch
tflite.SPARSE_TO_DENSE free
tflite.ZEROS_LIKE free makes-shapes

# Random numbers

Bernoulli free random coreml:random_bernoulli
    coreml:randomBernoulliLike coreml:randomBernoulliStatic coreml:randomBernoulliDynamic
    aten:bernoulli
Multinomial free random stretched tflite:MULTINOMIAL openvino:Multinomial coreml:random_categorical
    coreml:categoricalDistribution
    aten:multinomial
    tensorflow:Multinomial
RandomNormal free random tflite:RANDOM_STANDARD_NORMAL coreml:random_normal
    coreml:randomNormalLike coreml:randomNormalStatic coreml:randomNormalDynamic
    aten:randn
    tensorflow:RandomStandardNormal tensorflow:StatelessRandomNormalV2
RandomNormalLike free random
    aten:randn_like
RandomUniform free random tflite:RANDOM_UNIFORM openvino:RandomUniform coreml:random_uniform
    coreml:randomUniformLike coreml:randomUniformStatic coreml:randomUniformDynamic
    aten:rand
    tensorflow:RandomUniform tensorflow:StatelessRandomUniformV2
RandomUniformLike free random
    aten:rand_like

# Arithmetic, element by element

Abs 1/output pointwise quantizable in-place crossed-by-transpose never-negative tflite:ABS
    openvino:Abs coreml:abs
    tflite:STABLEHLO_ABS
    aten:abs
    tensorflow:Abs numpy:absolute
Acos 1/output in-place openvino:Acos coreml:acos
    aten:acos
    tensorflow:Acos
Acosh 1/output in-place openvino:Acosh
    coreml:acosh
    aten:acosh
    tensorflow:Acosh
Add 1/output commutative addition arithmetic broadcasts formula-scalar pointwise quantizable
    propagated
    crossed-by-transpose
    joins in-place
    epilogue tflite:ADD[activation] openvino:Add coreml:add
    tflite:STABLEHLO_ADD
    coreml:addBroadcastable coreml:bias
    aten:add
    tensorflow:AddV2 tensorflow:Add tensorflow:BiasAdd numpy:add
AffineGrid 4/output
And 1/output commutative broadcasts pointwise in-place tflite:LOGICAL_AND openvino:LogicalAnd
    coreml:logical_and
    tflite:STABLEHLO_AND
    coreml:logicalAnd
    aten:logical_and aten:__and__ aten:bitwise_and
    tensorflow:LogicalAnd numpy:logical_and
Asin 1/output in-place openvino:Asin coreml:asin
    aten:asin
    tensorflow:Asin
Asinh 1/output in-place openvino:Asinh
    coreml:asinh
    aten:asinh
    tensorflow:Asinh
Atan 1/output in-place tflite:ATAN2[two-operands] openvino:Atan coreml:atan
    aten:atan aten:atan2[two-operands]
    tensorflow:Atan tensorflow:Atan2[two-operands]
Atanh 1/output in-place openvino:Atanh coreml:atanh
    aten:atanh
    tensorflow:Atanh
BitShift 1/output tflite:RIGHT_SHIFT openvino:BitwiseLeftShift openvino:BitwiseRightShift
    tensorflow:LeftShift tensorflow:RightShift
BitwiseAnd 1/output commutative in-place openvino:BitwiseAnd
    tensorflow:BitwiseAnd
BitwiseNot 1/output in-place openvino:BitwiseNot
    tensorflow:Invert
BitwiseOr 1/output commutative in-place openvino:BitwiseOr
    tensorflow:BitwiseOr
BitwiseXor 1/output commutative in-place tflite:BITWISE_XOR openvino:BitwiseXor
    tensorflow:BitwiseXor
Ceil 1/output pointwise in-place tflite:CEIL openvino:Ceiling coreml:ceil
    aten:ceil
    tensorflow:Ceil numpy:ceil
Cos 1/output pointwise in-place widened tflite:COS openvino:Cos coreml:cos
    tflite:STABLEHLO_COSINE
    aten:cos
    tensorflow:Cos
Cosh 1/output in-place openvino:Cosh coreml:cosh
    aten:cosh
    tensorflow:Cosh
Div 1/output scaling arithmetic broadcasts formula-scalar pointwise quantizable in-place
    crossed-by-transpose
    tflite:DIV[activation] openvino:Divide coreml:real_div coreml:floor_div
    tflite:STABLEHLO_DIVIDE
    coreml:divideBroadcastable coreml:floorDivBroadcastable
    aten:div aten:true_divide aten:floor_divide
    tensorflow:RealDiv tensorflow:Div numpy:divide
Equal 1/output commutative broadcasts pointwise tflite:EQUAL openvino:Equal coreml:equal
    aten:eq
    tensorflow:Equal numpy:equal
Erf 1/output gelu pointwise quantizable sensitive in-place crossed-by-transpose widened openvino:Erf
    coreml:erf
    aten:erf
    tensorflow:Erf
Exp 1/output curved pointwise quantizable in-place crossed-by-transpose widened never-negative
    tflite:EXP openvino:Exp coreml:exp
    tflite:STABLEHLO_EXPONENTIAL
    aten:exp
    tensorflow:Exp
Floor 1/output pointwise in-place tflite:FLOOR openvino:Floor coreml:floor
    tflite:STABLEHLO_FLOOR
    aten:floor
    tensorflow:Floor numpy:floor
Greater 1/output broadcasts pointwise tflite:GREATER openvino:Greater coreml:greater
    coreml:greaterThan
    aten:gt
    tensorflow:Greater numpy:greater
GreaterOrEqual 1/output pointwise tflite:GREATER_EQUAL openvino:GreaterEqual
    coreml:greater_equal
    coreml:greaterEqual
    aten:ge
    tensorflow:GreaterEqual numpy:greater_equal
IsInf 1/output pointwise openvino:IsInf
    aten:isinf
    tensorflow:IsInf
IsNaN 1/output pointwise openvino:IsNaN
    aten:isnan
    tensorflow:IsNan
Less 1/output broadcasts pointwise tflite:LESS openvino:Less coreml:less
    coreml:lessThan
    aten:lt
    tensorflow:Less numpy:less
LessOrEqual 1/output pointwise tflite:LESS_EQUAL openvino:LessEqual coreml:less_equal
    coreml:lessEqual
    aten:le
    tensorflow:LessEqual numpy:less_equal
Log 1/output pointwise quantizable in-place crossed-by-transpose widened tflite:LOG openvino:Log
    coreml:log
    tflite:STABLEHLO_LOG
    aten:log
    tensorflow:Log
Max variadic commutative formula-scalar pointwise quantizable joins in-place tflite:MAXIMUM
    openvino:Maximum
    coreml:maximum
    tflite:STABLEHLO_MAXIMUM
    coreml:max coreml:maxBroadcastable
    aten:maximum
    tensorflow:Maximum numpy:maximum
Mean variadic commutative in-place
    coreml:average
Min variadic commutative formula-scalar pointwise quantizable in-place tflite:MINIMUM
    openvino:Minimum
    coreml:minimum
    tflite:STABLEHLO_MINIMUM
    coreml:min coreml:minBroadcastable
    aten:minimum
    tensorflow:Minimum numpy:minimum
Mod 1/output pointwise in-place tflite:FLOOR_MOD openvino:Mod openvino:FloorMod coreml:mod
    tflite:STABLEHLO_REMAINDER
    coreml:modBroadcastable
    aten:remainder aten:fmod
    tensorflow:FloorMod numpy:mod
Mul 1/output commutative multiplication scaling arithmetic broadcasts formula-scalar pointwise
    propagated
    crossed-by-transpose
    quantizable
    joins in-place tflite:MUL[activation] openvino:Multiply coreml:mul
    tflite:STABLEHLO_MULTIPLY
    coreml:multiply coreml:multiplyBroadcastable
    aten:mul
    tensorflow:Mul numpy:multiply
Neg 1/output pointwise quantizable in-place crossed-by-transpose tflite:NEG openvino:Negative
    tflite:STABLEHLO_NEGATE
    aten:neg
    tensorflow:Neg numpy:negative
Not 1/output pointwise in-place tflite:LOGICAL_NOT openvino:LogicalNot coreml:logical_not
    coreml:logicalNot
    aten:logical_not aten:bitwise_not
    tensorflow:LogicalNot numpy:logical_not
Or 1/output commutative broadcasts pointwise in-place tflite:LOGICAL_OR openvino:LogicalOr
    coreml:logical_or
    tflite:STABLEHLO_OR
    coreml:logicalOr
    aten:logical_or aten:__or__ aten:bitwise_or
    tensorflow:LogicalOr numpy:logical_or
Pow 1/output broadcasts formula-scalar root pointwise quantizable in-place crossed-by-transpose
    widened tflite:POW
    tflite:SQUARE openvino:Power coreml:pow coreml:square
    tflite:STABLEHLO_POWER
    coreml:powBroadcastable
    aten:pow
    tensorflow:Pow tensorflow:Square numpy:power
Reciprocal 1/output root pointwise quantizable in-place widened tflite:RSQRT[of-the-root]
    coreml:inverse
    coreml:rsqrt[of-the-root]
    tflite:STABLEHLO_RSQRT[of-the-root]
    aten:reciprocal aten:rsqrt[of-the-root]
    tensorflow:Reciprocal tensorflow:Inv tensorflow:Rsqrt[of-the-root]
Round 1/output pointwise in-place tflite:ROUND openvino:Round coreml:round
    aten:round
    tensorflow:Round tensorflow:Rint numpy:rint
Sign 1/output pointwise in-place tflite:SIGN openvino:Sign coreml:sign
    aten:sign
    tensorflow:Sign
Sin 1/output pointwise in-place widened tflite:SIN openvino:Sin coreml:sin
    aten:sin
    tensorflow:Sin
Sinh 1/output in-place openvino:Sinh coreml:sinh
    aten:sinh
    tensorflow:Sinh
Sqrt 1/output root pointwise quantizable in-place crossed-by-transpose widened tflite:SQRT
    openvino:Sqrt coreml:sqrt
    aten:sqrt
    tensorflow:Sqrt numpy:sqrt
Sub 1/output arithmetic broadcasts formula-scalar pointwise quantizable in-place propagated
    crossed-by-transpose
    tflite:SUB[activation] openvino:Subtract coreml:sub
    tflite:STABLEHLO_SUBTRACT
    coreml:subtractBroadcastable
    aten:sub aten:rsub
    tensorflow:Sub numpy:subtract
Sum variadic commutative addition pointwise quantizable joins in-place tflite:ADD_N
    tensorflow:AddN
Tan 1/output in-place openvino:Tan coreml:tan
    aten:tan
    tensorflow:Tan
Xor 1/output commutative pointwise in-place openvino:LogicalXor coreml:logical_xor
    coreml:logicalXor
    aten:logical_xor aten:__xor__ aten:bitwise_xor
com.microsoft.BiasAdd 1/output
com.microsoft.BiasDropout 1/output
com.microsoft.ComplexMul 6/output
com.microsoft.ComplexMulConj 6/output
com.microsoft.GatedAdd 2/output pointwise
com.microsoft.MulInteger 1/output
com.microsoft.QLinearAdd 5/output integer-kernel addition
    (data data-scale data-zero other other-scale other-zero output-scale output-zero)
com.microsoft.QLinearMul 5/output integer-kernel multiplication
    (data data-scale data-zero other other-scale other-zero output-scale output-zero)

tflite.COMPLEX_ABS 4/output
tflite.FLOOR_DIV 2/output tensorflow:FloorDiv
tflite.IMAG free
tflite.NOT_EQUAL 1/output commutative broadcasts pointwise
tflite.REAL free
tflite.SEGMENT_SUM 1/input
tflite.SQUARED_DIFFERENCE 2/output pointwise
tflite.STABLEHLO_CBRT 1/output
tflite.STABLEHLO_SHIFT_LEFT 1/output
tflite.UNSORTED_SEGMENT_MAX 1/input
tflite.UNSORTED_SEGMENT_MIN 1/input
tflite.UNSORTED_SEGMENT_PROD 1/input
tflite.UNSORTED_SEGMENT_SUM 1/input

# Everything else

DFT fourier widened tflite:RFFT2D openvino:DFT openvino:RDFT
    openvino:IDFT openvino:IRDFT
    aten:_fft_r2c aten:_fft_c2c aten:_fft_c2r aten:fft_rfft aten:fft_irfft
    tensorflow:FFT tensorflow:IFFT tensorflow:RFFT tensorflow:IRFFT tensorflow:RFFT2D
Det -
GridSample grid_sample widened openvino:GridSample coreml:resample
    aten:grid_sampler aten:grid_sampler_2d
NegativeLogLikelihoodLoss 5/input
STFT fourier widened stretched openvino:STFT
    aten:stft
SoftmaxCrossEntropyLoss 5/input
StringConcat free
StringNormalizer free
com.microsoft.GridSample grid_sample
com.microsoft.Irfft fourier
com.microsoft.IsAllFinite 1/input
com.microsoft.Rfft fourier
tflite.REDUCE_WINDOW -
tflite.STABLEHLO_CLAMP clip
tflite.STABLEHLO_CONVOLUTION -
tflite.STABLEHLO_GATHER free
tflite.STABLEHLO_SCATTER free
tflite.STABLEHLO_COMPARE 1/output
tflite.STABLEHLO_DYNAMIC_UPDATE_SLICE free
tflite.STABLEHLO_DOT_GENERAL -
tflite.STABLEHLO_REDUCE -
tflite.STABLEHLO_REDUCE_WINDOW -
tflite.STABLEHLO_RNG_BIT_GENERATOR free random
tflite.STABLEHLO_SORT sort
tflite.STABLEHLO_WHILE - control-flow
ai.onnx.ml.ArrayFeatureExtractor free
ai.onnx.ml.Binarizer 1/output
ai.onnx.ml.CastMap free
ai.onnx.ml.CategoryMapper free
ai.onnx.ml.DictVectorizer free
ai.onnx.ml.FeatureVectorizer free
ai.onnx.ml.Imputer 1/output
ai.onnx.ml.LabelEncoder free
ai.onnx.ml.OneHotEncoder free
ai.onnx.ml.Scaler 2/output
ai.onnx.ml.TreeEnsembleRegressor - stretched
ai.onnx.ml.ZipMap free

# OpenVINO's, as far as no operator of the standard means the same

openvino.Assign free writes-state
openvino.BatchToSpace free moves
openvino.BinaryConvolution conv convolution (data weight)
openvino.Bucketize free
openvino.CTCGreedyDecoder free
openvino.CTCGreedyDecoderSeqLen free
openvino.CTCLoss -
openvino.ConvertPromoteTypes free cast
openvino.DeformablePSROIPooling roi
openvino.DetectionOutput free sized-by-data
openvino.EmbeddingBagOffsets -
openvino.EmbeddingBagOffsetsSum -
openvino.EmbeddingBagPacked -
openvino.EmbeddingBagPackedSum -
openvino.EmbeddingSegmentsSum -
openvino.ErfInv 5/output pointwise
openvino.ExperimentalDetectronDetectionOutput free sized-by-data
openvino.ExperimentalDetectronGenerateProposalsSingleImage free sized-by-data
openvino.ExperimentalDetectronPriorGridGenerator free
openvino.ExperimentalDetectronROIFeatureExtractor roi
openvino.ExperimentalDetectronTopKROIs sort
openvino.ExtractImagePatches free
openvino.FakeConvert 2/output pointwise (data data-scale data-zero)
openvino.FakeQuantize 5/output pointwise in-place (data bound bound bound bound)
openvino.GRN 3/input normalization
openvino.GRUCell recurrent_step recurrent (data state>0 weight recurrence bias)
openvino.GRUSequence recurrent_step recurrent (data state>1 lengths weight recurrence bias)
openvino.GatherTree free
openvino.GenerateProposals free sized-by-data
openvino.GroupConvolution group_conv convolution float-product (data weight)
openvino.GroupConvolutionBackpropData group_conv_transpose transposed-convolution float-product
    (data weight)
openvino.GroupedMatMul - (data weight)
openvino.I420toBGR 6/output
openvino.I420toRGB 6/output
openvino.ISTFT fourier
openvino.Inverse -
openvino.IsFinite 1/output pointwise
openvino.LSTMCell recurrent_step recurrent (data state>0 state>1 weight recurrence bias)
openvino.LSTMSequence recurrent_step recurrent
    (data state>1 state>2 lengths weight recurrence bias)
openvino.MatrixNms free sized-by-data
openvino.MulticlassNms free sized-by-data
openvino.NMSRotated free sized-by-data
openvino.NV12toBGR 6/output
openvino.NV12toRGB 6/output
openvino.NotEqual 1/output commutative broadcasts pointwise
openvino.PSROIPooling roi
openvino.PagedAttentionExtension - attention (query key value)
openvino.PriorBox free
openvino.PriorBoxClustered free
openvino.Proposal free sized-by-data
openvino.RNNCell recurrent_step recurrent (data state>0 weight recurrence bias)
openvino.RNNSequence recurrent_step recurrent (data state>1 lengths weight recurrence bias)
openvino.ROIAlignRotated roi
openvino.ReadValue free
openvino.RegionYolo 4/output
openvino.ReorgYolo free moves
openvino.Reverse free moves
openvino.Roll free moves
openvino.ScaledDotProductAttention scaled_attention attention (query key value mask)
openvino.ScatterUpdate free extends (data index update)
openvino.SearchSorted free
openvino.SegmentMax 1/input
openvino.ShuffleChannels free moves
openvino.SliceScatter free extends (data update)
openvino.SpaceToBatch free moves
openvino.SparseFillEmptyRows free sized-by-data
openvino.SquaredDifference 2/output commutative broadcasts pointwise
openvino.StringTensorPack free
openvino.StringTensorUnpack free

# Core ML's: operations of its programs, and layers of its neural networks

coreml.affine resize
coreml.argSort sort
coreml.argsort sort
coreml.batch_to_space free moves
coreml.biDirectionalLSTM - recurrent
coreml.clampedReLU 2/output activation pointwise
coreml.clamped_relu 2/output activation pointwise
coreml.classify free
coreml.constexpr_cast free cast
coreml.constexpr_lut_to_dense 1/output (data table)
coreml.constexpr_lut_to_sparse 1/output
coreml.constexpr_sparse_blockwise_shift_scale 2/output
coreml.constexpr_sparse_to_dense 1/output
coreml.conv_quantized conv convolution (data weight bias)
coreml.coreml_update_state free writes-state
coreml.crop free selects
coreml.custom -
coreml.dot 2/input
coreml.exp2 1/output pointwise
coreml.fill_like free makes-shapes
coreml.gru recurrent_step recurrent (data weight recurrence weight recurrence bias)
coreml.linear matmul gemm float-product (data weight bias)
coreml.linear_activation 2/output pointwise
coreml.list_gather free
coreml.list_scatter free
coreml.loopBreak free
coreml.loopContinue free
coreml.lstm recurrent_step recurrent (data weight recurrence weight recurrence bias)
coreml.notEqual 1/output broadcasts pointwise
coreml.not_equal 1/output broadcasts pointwise
coreml.read_state free
coreml.rnn recurrent_step recurrent (data weight recurrence weight recurrence bias)
coreml.scale 2/output pointwise
coreml.scaled_dot_product_attention scaled_attention attention (query key value mask)
coreml.scatter free extends (data index update)
coreml.sequenceRepeat free moves broadcast
coreml.simpleRecurrent - recurrent
coreml.slice_update free extends (data update)
coreml.slidingWindows free
coreml.sliding_windows free
coreml.space_to_batch free moves
coreml.threshold 1/output pointwise
coreml.unary 1/output pointwise
coreml.uniDirectionalLSTM - recurrent
coreml.write_state free writes-state

# PyTorch's, as far as no operator of the standard means the same

aten.add_ 1/output writes-state
aten.as_strided free view
aten.baddbmm -
aten.clamp_ 2/output writes-state
aten.copy free
aten.copy_ free writes-state
aten.cross_entropy_loss 5/input
aten.diff 1/output
aten.div_ 1/output writes-state
aten.dropout_ free writes-state
aten.elu_ 2/output writes-state
aten.erfinv 5/output
aten.exp_ 1/output writes-state
aten.expm1 2/output
aten.fill_ free writes-state
aten.flip free moves
aten.gru cells recurrent
aten.hardswish_ 3/output writes-state
aten.hardtanh_ 2/output writes-state
aten.im2col free
aten.index_add free
aten.index_add_ 1/output writes-state
aten.index_copy_ free writes-state
aten.index_put_ free writes-state
aten.leaky_relu_ 1/output writes-state
aten.log1p 2/output
aten.log2 1/output
aten.lstm cells recurrent
aten.masked_fill_ free writes-state
aten.mul_ 1/output writes-state
aten.ne 1/output commutative broadcasts pointwise
aten.neg_ 1/output writes-state
aten.pow_ 1/output writes-state
aten.relu_ 1/output writes-state
aten.repeat_interleave free
aten.rnn_relu cells recurrent
aten.rnn_tanh cells recurrent
aten.roll free moves
aten.scatter_ free writes-state
aten.scatter_add_ 1/output writes-state
aten.select_scatter free
aten.sigmoid_ 3/output writes-state
aten.silu_ 4/output writes-state
aten.slice_scatter free
aten.sort sort
aten.sqrt_ 1/output writes-state
aten.std 3/input reduces
aten.sub_ 1/output writes-state
aten.tanh_ 1/output writes-state
aten.unfold free
aten.var 3/input reduces
aten.var_mean 3/input reduces
aten.zero_ free writes-state
higher_order.map_impl - control-flow
quantized_decomposed.choose_qparams 2/input reduces
quantized_decomposed.choose_qparams_per_token_asymmetric 2/input reduces

# TensorFlow's, as far as no operator of the standard means the same: most have channels last

tensorflow.Assert free writes-state
tensorflow.Assign free writes-state
tensorflow.AssignAddVariableOp 1/output writes-state
tensorflow.AssignSubVariableOp 1/output writes-state
tensorflow.AssignVariableOp free writes-state
tensorflow.BatchToSpaceND free moves
tensorflow.BroadcastArgs free makes-shapes
tensorflow.BroadcastGradientArgs free makes-shapes
tensorflow.Conv2D conv_channels_last float-product (data weight)
tensorflow.Conv2DBackpropInput conv_transpose_nhwc (shape weight data)
tensorflow.Conv3D conv_channels_last float-product (data weight)
tensorflow.Conv3DBackpropInputV2 conv_transpose_nhwc (shape weight data)
tensorflow.CheckNumerics 1/output writes-state
tensorflow.CropAndResize 8/output
tensorflow.DecodeBase64 free
tensorflow.DepthwiseConv2dNative depthwise_split float-product (data weight)
tensorflow.DivNoNan 1/output pointwise
tensorflow.Erfc 1/output pointwise
tensorflow.Expm1 2/output pointwise
tensorflow.FusedBatchNorm 2/output normalization pointwise (data scale bias statistic statistic)
tensorflow.FusedBatchNormV2 2/output normalization pointwise (data scale bias statistic statistic)
tensorflow.FusedBatchNormV3 2/output normalization pointwise (data scale bias statistic statistic)
tensorflow.HashTableV2 free
tensorflow.IsFinite 1/output pointwise
tensorflow.L2Loss 2/input
tensorflow.LinSpace free makes-shapes
tensorflow.Log1p 2/output pointwise
tensorflow.LookupTableFindV2 free
tensorflow.LookupTableSizeV2 free
tensorflow.MatrixBandPart free
tensorflow.MatrixDiagV3 free
tensorflow.MatrixSetDiagV3 free
tensorflow.MulNoNan 1/output pointwise
tensorflow.NotEqual 1/output commutative broadcasts pointwise
tensorflow.OnesLike free makes-shapes
tensorflow.ParseExampleV2 free
tensorflow.RaggedTensorToTensor free
tensorflow.Rank free reads-shape makes-shapes
tensorflow.Roll free moves
tensorflow.SegmentSum 1/input
tensorflow.SpaceToBatchND free moves
tensorflow.SparseToDense free
tensorflow.SquaredDifference 2/output commutative broadcasts pointwise
tensorflow.StaticRegexReplace free
tensorflow.StringLower free
tensorflow.StringSplitV2 free sized-by-data
tensorflow.TensorListFromTensor free
tensorflow.TensorListGetItem free
tensorflow.TensorListReserve free
tensorflow.TensorListSetItem free
tensorflow.TensorListStack free
tensorflow.TruncateDiv 1/output pointwise
tensorflow.TruncateMod 1/output pointwise
tensorflow.UnsortedSegmentSum 1/input
tensorflow.Xdivy 2/output pointwise
tensorflow.Xlogy 2/output pointwise
tensorflow.ZerosLike free makes-shapes
"""
