"""What TensorRT leaves behind: engines, and exports of their layers."""
