import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from generated.radiomics import Primitives3D_pb2 as _Primitives3D_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ModelChannelConstraints(_message.Message):
    __slots__ = ("AcceptedModalities", "SpacingMinInMillimeters", "SpacingMaxInMillimeters", "DimensionsMinInPixels", "DimensionsMaxInPixels", "OriginalDataRequired", "IsAxial")
    class ModalityTypes(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CT: _ClassVar[ModelChannelConstraints.ModalityTypes]
        CTA: _ClassVar[ModelChannelConstraints.ModalityTypes]
        MR_T1: _ClassVar[ModelChannelConstraints.ModalityTypes]
        MR_T2: _ClassVar[ModelChannelConstraints.ModalityTypes]
        MR_GAD: _ClassVar[ModelChannelConstraints.ModalityTypes]
        MR_FLAIR: _ClassVar[ModelChannelConstraints.ModalityTypes]
        PET: _ClassVar[ModelChannelConstraints.ModalityTypes]
    CT: ModelChannelConstraints.ModalityTypes
    CTA: ModelChannelConstraints.ModalityTypes
    MR_T1: ModelChannelConstraints.ModalityTypes
    MR_T2: ModelChannelConstraints.ModalityTypes
    MR_GAD: ModelChannelConstraints.ModalityTypes
    MR_FLAIR: ModelChannelConstraints.ModalityTypes
    PET: ModelChannelConstraints.ModalityTypes
    ACCEPTEDMODALITIES_FIELD_NUMBER: _ClassVar[int]
    SPACINGMININMILLIMETERS_FIELD_NUMBER: _ClassVar[int]
    SPACINGMAXINMILLIMETERS_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONSMININPIXELS_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONSMAXINPIXELS_FIELD_NUMBER: _ClassVar[int]
    ORIGINALDATAREQUIRED_FIELD_NUMBER: _ClassVar[int]
    ISAXIAL_FIELD_NUMBER: _ClassVar[int]
    AcceptedModalities: _containers.RepeatedScalarFieldContainer[ModelChannelConstraints.ModalityTypes]
    SpacingMinInMillimeters: _Primitives3D_pb2.Vector3D
    SpacingMaxInMillimeters: _Primitives3D_pb2.Vector3D
    DimensionsMinInPixels: _Primitives3D_pb2.Vector3D
    DimensionsMaxInPixels: _Primitives3D_pb2.Vector3D
    OriginalDataRequired: bool
    IsAxial: bool
    def __init__(self, AcceptedModalities: _Optional[_Iterable[_Union[ModelChannelConstraints.ModalityTypes, str]]] = ..., SpacingMinInMillimeters: _Optional[_Union[_Primitives3D_pb2.Vector3D, _Mapping]] = ..., SpacingMaxInMillimeters: _Optional[_Union[_Primitives3D_pb2.Vector3D, _Mapping]] = ..., DimensionsMinInPixels: _Optional[_Union[_Primitives3D_pb2.Vector3D, _Mapping]] = ..., DimensionsMaxInPixels: _Optional[_Union[_Primitives3D_pb2.Vector3D, _Mapping]] = ..., OriginalDataRequired: bool = ..., IsAxial: bool = ...) -> None: ...

class ModelConstraints(_message.Message):
    __slots__ = ("BodyPartsExamined", "Gender")
    class BodyPartExaminedType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        Abdomen: _ClassVar[ModelConstraints.BodyPartExaminedType]
        AbdomenPelvis: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Adrenal: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Ankle: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Aorta: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Axilla: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Back: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Bladder: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Brain: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Breast: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Bronchus: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Buttock: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Calcaneus: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Calf: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Carotid: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Cerebellum: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Cspine: _ClassVar[ModelConstraints.BodyPartExaminedType]
        CtSpine: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Cervix: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Cheek: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Chest: _ClassVar[ModelConstraints.BodyPartExaminedType]
        ChestAbdomen: _ClassVar[ModelConstraints.BodyPartExaminedType]
        ChestAbdomenPelvis: _ClassVar[ModelConstraints.BodyPartExaminedType]
        CircleOfWillis: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Clavicle: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Coccyx: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Colon: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Cornea: _ClassVar[ModelConstraints.BodyPartExaminedType]
        CoronaryArtery: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Duodenum: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Ear: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Elbow: _ClassVar[ModelConstraints.BodyPartExaminedType]
        WholeBody: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Esophagus: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Extremity: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Eye: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Eyelid: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Face: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Femur: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Finger: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Foot: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Gallbladder: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Hand: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Head: _ClassVar[ModelConstraints.BodyPartExaminedType]
        HeadNeck: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Heart: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Hip: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Humerus: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Ileum: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Ilium: _ClassVar[ModelConstraints.BodyPartExaminedType]
        IAC: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Jaw: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Jejunum: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Kidney: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Knee: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Larynx: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Liver: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Leg: _ClassVar[ModelConstraints.BodyPartExaminedType]
        LSpine: _ClassVar[ModelConstraints.BodyPartExaminedType]
        LSSpine: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Lung: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Maxilla: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Mediastinum: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Mouth: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Neck: _ClassVar[ModelConstraints.BodyPartExaminedType]
        NeckChest: _ClassVar[ModelConstraints.BodyPartExaminedType]
        NeckChestAbdomen: _ClassVar[ModelConstraints.BodyPartExaminedType]
        NeckChestAbdomenPelvis: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Nose: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Orbit: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Ovary: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Pancreas: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Parotid: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Patella: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Pelvis: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Penis: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Pharynx: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Prostate: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Rectum: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Rib: _ClassVar[ModelConstraints.BodyPartExaminedType]
        SSPine: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Scalp: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Scapula: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Sclera: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Scrotum: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Shoulder: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Skull: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Spine: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Spleen: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Sternum: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Stomach: _ClassVar[ModelConstraints.BodyPartExaminedType]
        SumMandibular: _ClassVar[ModelConstraints.BodyPartExaminedType]
        TMJoint: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Testis: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Thigh: _ClassVar[ModelConstraints.BodyPartExaminedType]
        TSpine: _ClassVar[ModelConstraints.BodyPartExaminedType]
        TLSpine: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Thumb: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Thymus: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Thyroid: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Toe: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Tongue: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Trachea: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Arm: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Ureter: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Urethra: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Uterus: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Vagina: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Vulva: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Wrist: _ClassVar[ModelConstraints.BodyPartExaminedType]
        Zygoma: _ClassVar[ModelConstraints.BodyPartExaminedType]
    Abdomen: ModelConstraints.BodyPartExaminedType
    AbdomenPelvis: ModelConstraints.BodyPartExaminedType
    Adrenal: ModelConstraints.BodyPartExaminedType
    Ankle: ModelConstraints.BodyPartExaminedType
    Aorta: ModelConstraints.BodyPartExaminedType
    Axilla: ModelConstraints.BodyPartExaminedType
    Back: ModelConstraints.BodyPartExaminedType
    Bladder: ModelConstraints.BodyPartExaminedType
    Brain: ModelConstraints.BodyPartExaminedType
    Breast: ModelConstraints.BodyPartExaminedType
    Bronchus: ModelConstraints.BodyPartExaminedType
    Buttock: ModelConstraints.BodyPartExaminedType
    Calcaneus: ModelConstraints.BodyPartExaminedType
    Calf: ModelConstraints.BodyPartExaminedType
    Carotid: ModelConstraints.BodyPartExaminedType
    Cerebellum: ModelConstraints.BodyPartExaminedType
    Cspine: ModelConstraints.BodyPartExaminedType
    CtSpine: ModelConstraints.BodyPartExaminedType
    Cervix: ModelConstraints.BodyPartExaminedType
    Cheek: ModelConstraints.BodyPartExaminedType
    Chest: ModelConstraints.BodyPartExaminedType
    ChestAbdomen: ModelConstraints.BodyPartExaminedType
    ChestAbdomenPelvis: ModelConstraints.BodyPartExaminedType
    CircleOfWillis: ModelConstraints.BodyPartExaminedType
    Clavicle: ModelConstraints.BodyPartExaminedType
    Coccyx: ModelConstraints.BodyPartExaminedType
    Colon: ModelConstraints.BodyPartExaminedType
    Cornea: ModelConstraints.BodyPartExaminedType
    CoronaryArtery: ModelConstraints.BodyPartExaminedType
    Duodenum: ModelConstraints.BodyPartExaminedType
    Ear: ModelConstraints.BodyPartExaminedType
    Elbow: ModelConstraints.BodyPartExaminedType
    WholeBody: ModelConstraints.BodyPartExaminedType
    Esophagus: ModelConstraints.BodyPartExaminedType
    Extremity: ModelConstraints.BodyPartExaminedType
    Eye: ModelConstraints.BodyPartExaminedType
    Eyelid: ModelConstraints.BodyPartExaminedType
    Face: ModelConstraints.BodyPartExaminedType
    Femur: ModelConstraints.BodyPartExaminedType
    Finger: ModelConstraints.BodyPartExaminedType
    Foot: ModelConstraints.BodyPartExaminedType
    Gallbladder: ModelConstraints.BodyPartExaminedType
    Hand: ModelConstraints.BodyPartExaminedType
    Head: ModelConstraints.BodyPartExaminedType
    HeadNeck: ModelConstraints.BodyPartExaminedType
    Heart: ModelConstraints.BodyPartExaminedType
    Hip: ModelConstraints.BodyPartExaminedType
    Humerus: ModelConstraints.BodyPartExaminedType
    Ileum: ModelConstraints.BodyPartExaminedType
    Ilium: ModelConstraints.BodyPartExaminedType
    IAC: ModelConstraints.BodyPartExaminedType
    Jaw: ModelConstraints.BodyPartExaminedType
    Jejunum: ModelConstraints.BodyPartExaminedType
    Kidney: ModelConstraints.BodyPartExaminedType
    Knee: ModelConstraints.BodyPartExaminedType
    Larynx: ModelConstraints.BodyPartExaminedType
    Liver: ModelConstraints.BodyPartExaminedType
    Leg: ModelConstraints.BodyPartExaminedType
    LSpine: ModelConstraints.BodyPartExaminedType
    LSSpine: ModelConstraints.BodyPartExaminedType
    Lung: ModelConstraints.BodyPartExaminedType
    Maxilla: ModelConstraints.BodyPartExaminedType
    Mediastinum: ModelConstraints.BodyPartExaminedType
    Mouth: ModelConstraints.BodyPartExaminedType
    Neck: ModelConstraints.BodyPartExaminedType
    NeckChest: ModelConstraints.BodyPartExaminedType
    NeckChestAbdomen: ModelConstraints.BodyPartExaminedType
    NeckChestAbdomenPelvis: ModelConstraints.BodyPartExaminedType
    Nose: ModelConstraints.BodyPartExaminedType
    Orbit: ModelConstraints.BodyPartExaminedType
    Ovary: ModelConstraints.BodyPartExaminedType
    Pancreas: ModelConstraints.BodyPartExaminedType
    Parotid: ModelConstraints.BodyPartExaminedType
    Patella: ModelConstraints.BodyPartExaminedType
    Pelvis: ModelConstraints.BodyPartExaminedType
    Penis: ModelConstraints.BodyPartExaminedType
    Pharynx: ModelConstraints.BodyPartExaminedType
    Prostate: ModelConstraints.BodyPartExaminedType
    Rectum: ModelConstraints.BodyPartExaminedType
    Rib: ModelConstraints.BodyPartExaminedType
    SSPine: ModelConstraints.BodyPartExaminedType
    Scalp: ModelConstraints.BodyPartExaminedType
    Scapula: ModelConstraints.BodyPartExaminedType
    Sclera: ModelConstraints.BodyPartExaminedType
    Scrotum: ModelConstraints.BodyPartExaminedType
    Shoulder: ModelConstraints.BodyPartExaminedType
    Skull: ModelConstraints.BodyPartExaminedType
    Spine: ModelConstraints.BodyPartExaminedType
    Spleen: ModelConstraints.BodyPartExaminedType
    Sternum: ModelConstraints.BodyPartExaminedType
    Stomach: ModelConstraints.BodyPartExaminedType
    SumMandibular: ModelConstraints.BodyPartExaminedType
    TMJoint: ModelConstraints.BodyPartExaminedType
    Testis: ModelConstraints.BodyPartExaminedType
    Thigh: ModelConstraints.BodyPartExaminedType
    TSpine: ModelConstraints.BodyPartExaminedType
    TLSpine: ModelConstraints.BodyPartExaminedType
    Thumb: ModelConstraints.BodyPartExaminedType
    Thymus: ModelConstraints.BodyPartExaminedType
    Thyroid: ModelConstraints.BodyPartExaminedType
    Toe: ModelConstraints.BodyPartExaminedType
    Tongue: ModelConstraints.BodyPartExaminedType
    Trachea: ModelConstraints.BodyPartExaminedType
    Arm: ModelConstraints.BodyPartExaminedType
    Ureter: ModelConstraints.BodyPartExaminedType
    Urethra: ModelConstraints.BodyPartExaminedType
    Uterus: ModelConstraints.BodyPartExaminedType
    Vagina: ModelConstraints.BodyPartExaminedType
    Vulva: ModelConstraints.BodyPartExaminedType
    Wrist: ModelConstraints.BodyPartExaminedType
    Zygoma: ModelConstraints.BodyPartExaminedType
    class GenderType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        Male: _ClassVar[ModelConstraints.GenderType]
        Female: _ClassVar[ModelConstraints.GenderType]
        Any: _ClassVar[ModelConstraints.GenderType]
    Male: ModelConstraints.GenderType
    Female: ModelConstraints.GenderType
    Any: ModelConstraints.GenderType
    BODYPARTSEXAMINED_FIELD_NUMBER: _ClassVar[int]
    GENDER_FIELD_NUMBER: _ClassVar[int]
    BodyPartsExamined: _containers.RepeatedScalarFieldContainer[ModelConstraints.BodyPartExaminedType]
    Gender: ModelConstraints.GenderType
    def __init__(self, BodyPartsExamined: _Optional[_Iterable[_Union[ModelConstraints.BodyPartExaminedType, str]]] = ..., Gender: _Optional[_Union[ModelConstraints.GenderType, str]] = ...) -> None: ...

class ModelChannelDescription(_message.Message):
    __slots__ = ("ChannelID", "Constraints")
    CHANNELID_FIELD_NUMBER: _ClassVar[int]
    CONSTRAINTS_FIELD_NUMBER: _ClassVar[int]
    ChannelID: str
    Constraints: ModelChannelConstraints
    def __init__(self, ChannelID: _Optional[str] = ..., Constraints: _Optional[_Union[ModelChannelConstraints, _Mapping]] = ...) -> None: ...

class ColorRGB(_message.Message):
    __slots__ = ("R", "G", "B")
    R_FIELD_NUMBER: _ClassVar[int]
    G_FIELD_NUMBER: _ClassVar[int]
    B_FIELD_NUMBER: _ClassVar[int]
    R: int
    G: int
    B: int
    def __init__(self, R: _Optional[int] = ..., G: _Optional[int] = ..., B: _Optional[int] = ...) -> None: ...

class Structure(_message.Message):
    __slots__ = ("Name", "Color", "Type", "FMACode", "InputChannelID", "StructureID")
    class StructureType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        External: _ClassVar[Structure.StructureType]
        Organ: _ClassVar[Structure.StructureType]
        Unknown: _ClassVar[Structure.StructureType]
    External: Structure.StructureType
    Organ: Structure.StructureType
    Unknown: Structure.StructureType
    NAME_FIELD_NUMBER: _ClassVar[int]
    COLOR_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    FMACODE_FIELD_NUMBER: _ClassVar[int]
    INPUTCHANNELID_FIELD_NUMBER: _ClassVar[int]
    STRUCTUREID_FIELD_NUMBER: _ClassVar[int]
    Name: str
    Color: ColorRGB
    Type: Structure.StructureType
    FMACode: int
    InputChannelID: str
    StructureID: str
    def __init__(self, Name: _Optional[str] = ..., Color: _Optional[_Union[ColorRGB, _Mapping]] = ..., Type: _Optional[_Union[Structure.StructureType, str]] = ..., FMACode: _Optional[int] = ..., InputChannelID: _Optional[str] = ..., StructureID: _Optional[str] = ...) -> None: ...

class RegulatoryFramework(_message.Message):
    __slots__ = ("Framework", "Status", "UDI", "Manufacturer", "DetailsURL", "ReleaseDate")
    class StatusEnum(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        Clinical: _ClassVar[RegulatoryFramework.StatusEnum]
        Investigational: _ClassVar[RegulatoryFramework.StatusEnum]
        Recalled: _ClassVar[RegulatoryFramework.StatusEnum]
        Withdrawn: _ClassVar[RegulatoryFramework.StatusEnum]
    Clinical: RegulatoryFramework.StatusEnum
    Investigational: RegulatoryFramework.StatusEnum
    Recalled: RegulatoryFramework.StatusEnum
    Withdrawn: RegulatoryFramework.StatusEnum
    FRAMEWORK_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    UDI_FIELD_NUMBER: _ClassVar[int]
    MANUFACTURER_FIELD_NUMBER: _ClassVar[int]
    DETAILSURL_FIELD_NUMBER: _ClassVar[int]
    RELEASEDATE_FIELD_NUMBER: _ClassVar[int]
    Framework: str
    Status: RegulatoryFramework.StatusEnum
    UDI: str
    Manufacturer: str
    DetailsURL: str
    ReleaseDate: _timestamp_pb2.Timestamp
    def __init__(self, Framework: _Optional[str] = ..., Status: _Optional[_Union[RegulatoryFramework.StatusEnum, str]] = ..., UDI: _Optional[str] = ..., Manufacturer: _Optional[str] = ..., DetailsURL: _Optional[str] = ..., ReleaseDate: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ModelVersion(_message.Message):
    __slots__ = ("ID", "VersionDescription", "CreatedOn", "Structures", "NumberOfCreditsRequired", "MajorVersion", "MinorVersion", "RegulatoryFrameworks", "LanguageCode")
    ID_FIELD_NUMBER: _ClassVar[int]
    VERSIONDESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CREATEDON_FIELD_NUMBER: _ClassVar[int]
    STRUCTURES_FIELD_NUMBER: _ClassVar[int]
    NUMBEROFCREDITSREQUIRED_FIELD_NUMBER: _ClassVar[int]
    MAJORVERSION_FIELD_NUMBER: _ClassVar[int]
    MINORVERSION_FIELD_NUMBER: _ClassVar[int]
    REGULATORYFRAMEWORKS_FIELD_NUMBER: _ClassVar[int]
    LANGUAGECODE_FIELD_NUMBER: _ClassVar[int]
    ID: str
    VersionDescription: str
    CreatedOn: _timestamp_pb2.Timestamp
    Structures: _containers.RepeatedCompositeFieldContainer[Structure]
    NumberOfCreditsRequired: float
    MajorVersion: int
    MinorVersion: int
    RegulatoryFrameworks: _containers.RepeatedCompositeFieldContainer[RegulatoryFramework]
    LanguageCode: str
    def __init__(self, ID: _Optional[str] = ..., VersionDescription: _Optional[str] = ..., CreatedOn: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., Structures: _Optional[_Iterable[_Union[Structure, _Mapping]]] = ..., NumberOfCreditsRequired: _Optional[float] = ..., MajorVersion: _Optional[int] = ..., MinorVersion: _Optional[int] = ..., RegulatoryFrameworks: _Optional[_Iterable[_Union[RegulatoryFramework, _Mapping]]] = ..., LanguageCode: _Optional[str] = ...) -> None: ...

class ModelFamily(_message.Message):
    __slots__ = ("CanonicalName", "FamilyDescription", "ModelVersions", "LanguageCode")
    CANONICALNAME_FIELD_NUMBER: _ClassVar[int]
    FAMILYDESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    MODELVERSIONS_FIELD_NUMBER: _ClassVar[int]
    LANGUAGECODE_FIELD_NUMBER: _ClassVar[int]
    CanonicalName: str
    FamilyDescription: ModelFamilyDescription
    ModelVersions: _containers.RepeatedCompositeFieldContainer[ModelVersion]
    LanguageCode: str
    def __init__(self, CanonicalName: _Optional[str] = ..., FamilyDescription: _Optional[_Union[ModelFamilyDescription, _Mapping]] = ..., ModelVersions: _Optional[_Iterable[_Union[ModelVersion, _Mapping]]] = ..., LanguageCode: _Optional[str] = ...) -> None: ...

class ModelFamilyDescription(_message.Message):
    __slots__ = ("Name", "Description", "ClinicalDomain", "AnatomicalRegion", "PrimaryStructure", "Modalities", "InputChannels", "Constraints")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CLINICALDOMAIN_FIELD_NUMBER: _ClassVar[int]
    ANATOMICALREGION_FIELD_NUMBER: _ClassVar[int]
    PRIMARYSTRUCTURE_FIELD_NUMBER: _ClassVar[int]
    MODALITIES_FIELD_NUMBER: _ClassVar[int]
    INPUTCHANNELS_FIELD_NUMBER: _ClassVar[int]
    CONSTRAINTS_FIELD_NUMBER: _ClassVar[int]
    Name: str
    Description: str
    ClinicalDomain: str
    AnatomicalRegion: str
    PrimaryStructure: str
    Modalities: str
    InputChannels: _containers.RepeatedCompositeFieldContainer[ModelChannelDescription]
    Constraints: ModelConstraints
    def __init__(self, Name: _Optional[str] = ..., Description: _Optional[str] = ..., ClinicalDomain: _Optional[str] = ..., AnatomicalRegion: _Optional[str] = ..., PrimaryStructure: _Optional[str] = ..., Modalities: _Optional[str] = ..., InputChannels: _Optional[_Iterable[_Union[ModelChannelDescription, _Mapping]]] = ..., Constraints: _Optional[_Union[ModelConstraints, _Mapping]] = ...) -> None: ...

class ModelsCollection(_message.Message):
    __slots__ = ("Models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    Models: _containers.RepeatedCompositeFieldContainer[ModelFamily]
    def __init__(self, Models: _Optional[_Iterable[_Union[ModelFamily, _Mapping]]] = ...) -> None: ...

class ModelInputChannel(_message.Message):
    __slots__ = ("ChannelID", "CalibratedVolume", "VolumeID")
    CHANNELID_FIELD_NUMBER: _ClassVar[int]
    CALIBRATEDVOLUME_FIELD_NUMBER: _ClassVar[int]
    VOLUMEID_FIELD_NUMBER: _ClassVar[int]
    ChannelID: str
    CalibratedVolume: _Primitives3D_pb2.CalibratedVolume3D
    VolumeID: str
    def __init__(self, ChannelID: _Optional[str] = ..., CalibratedVolume: _Optional[_Union[_Primitives3D_pb2.CalibratedVolume3D, _Mapping]] = ..., VolumeID: _Optional[str] = ...) -> None: ...

class ModelInput(_message.Message):
    __slots__ = ("ClientInformation", "Channels")
    CLIENTINFORMATION_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    ClientInformation: ClientInformation
    Channels: _containers.RepeatedCompositeFieldContainer[ModelInputChannel]
    def __init__(self, ClientInformation: _Optional[_Union[ClientInformation, _Mapping]] = ..., Channels: _Optional[_Iterable[_Union[ModelInputChannel, _Mapping]]] = ...) -> None: ...

class ModelOutputChannel(_message.Message):
    __slots__ = ("Structure", "Volume")
    STRUCTURE_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    Structure: Structure
    Volume: _Primitives3D_pb2.VolumeData3D
    def __init__(self, Structure: _Optional[_Union[Structure, _Mapping]] = ..., Volume: _Optional[_Union[_Primitives3D_pb2.VolumeData3D, _Mapping]] = ...) -> None: ...

class ModelOutput(_message.Message):
    __slots__ = ("Channels", "ModelID", "ProcesserVersion", "LanguageCode")
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    MODELID_FIELD_NUMBER: _ClassVar[int]
    PROCESSERVERSION_FIELD_NUMBER: _ClassVar[int]
    LANGUAGECODE_FIELD_NUMBER: _ClassVar[int]
    Channels: _containers.RepeatedCompositeFieldContainer[ModelOutputChannel]
    ModelID: str
    ProcesserVersion: str
    LanguageCode: str
    def __init__(self, Channels: _Optional[_Iterable[_Union[ModelOutputChannel, _Mapping]]] = ..., ModelID: _Optional[str] = ..., ProcesserVersion: _Optional[str] = ..., LanguageCode: _Optional[str] = ...) -> None: ...

class SegmentationProgress(_message.Message):
    __slots__ = ("Progress", "Errors", "ErrorCode")
    class ErrorCodes(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        InternalError: _ClassVar[SegmentationProgress.ErrorCodes]
        UnknownClientError: _ClassVar[SegmentationProgress.ErrorCodes]
        DecompressionError: _ClassVar[SegmentationProgress.ErrorCodes]
        DecompressionBufferSizeMismatch: _ClassVar[SegmentationProgress.ErrorCodes]
    InternalError: SegmentationProgress.ErrorCodes
    UnknownClientError: SegmentationProgress.ErrorCodes
    DecompressionError: SegmentationProgress.ErrorCodes
    DecompressionBufferSizeMismatch: SegmentationProgress.ErrorCodes
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    ERRORCODE_FIELD_NUMBER: _ClassVar[int]
    Progress: int
    Errors: str
    ErrorCode: SegmentationProgress.ErrorCodes
    def __init__(self, Progress: _Optional[int] = ..., Errors: _Optional[str] = ..., ErrorCode: _Optional[_Union[SegmentationProgress.ErrorCodes, str]] = ...) -> None: ...

class SegmentationTask(_message.Message):
    __slots__ = ("SegmentationID", "StartTime")
    SEGMENTATIONID_FIELD_NUMBER: _ClassVar[int]
    STARTTIME_FIELD_NUMBER: _ClassVar[int]
    SegmentationID: str
    StartTime: _timestamp_pb2.Timestamp
    def __init__(self, SegmentationID: _Optional[str] = ..., StartTime: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ClientInformation(_message.Message):
    __slots__ = ("SoftwareVersion",)
    SOFTWAREVERSION_FIELD_NUMBER: _ClassVar[int]
    SoftwareVersion: str
    def __init__(self, SoftwareVersion: _Optional[str] = ...) -> None: ...

class StructureComment(_message.Message):
    __slots__ = ("StructureID", "Comments", "Score")
    STRUCTUREID_FIELD_NUMBER: _ClassVar[int]
    COMMENTS_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    StructureID: str
    Comments: str
    Score: _Primitives3D_pb2.DoubleValue
    def __init__(self, StructureID: _Optional[str] = ..., Comments: _Optional[str] = ..., Score: _Optional[_Union[_Primitives3D_pb2.DoubleValue, _Mapping]] = ...) -> None: ...

class SegmentationFeedback(_message.Message):
    __slots__ = ("ClientInformation", "SegmentationID", "SegmentationAccepted", "GeneralComments", "GeneralScore", "StructureComments")
    CLIENTINFORMATION_FIELD_NUMBER: _ClassVar[int]
    SEGMENTATIONID_FIELD_NUMBER: _ClassVar[int]
    SEGMENTATIONACCEPTED_FIELD_NUMBER: _ClassVar[int]
    GENERALCOMMENTS_FIELD_NUMBER: _ClassVar[int]
    GENERALSCORE_FIELD_NUMBER: _ClassVar[int]
    STRUCTURECOMMENTS_FIELD_NUMBER: _ClassVar[int]
    ClientInformation: ClientInformation
    SegmentationID: str
    SegmentationAccepted: bool
    GeneralComments: str
    GeneralScore: _Primitives3D_pb2.DoubleValue
    StructureComments: _containers.RepeatedCompositeFieldContainer[StructureComment]
    def __init__(self, ClientInformation: _Optional[_Union[ClientInformation, _Mapping]] = ..., SegmentationID: _Optional[str] = ..., SegmentationAccepted: bool = ..., GeneralComments: _Optional[str] = ..., GeneralScore: _Optional[_Union[_Primitives3D_pb2.DoubleValue, _Mapping]] = ..., StructureComments: _Optional[_Iterable[_Union[StructureComment, _Mapping]]] = ...) -> None: ...

class Credits(_message.Message):
    __slots__ = ("TotalCredits", "DisplayCreditsWarning", "CreditsWarningMessage", "LanguageCode")
    TOTALCREDITS_FIELD_NUMBER: _ClassVar[int]
    DISPLAYCREDITSWARNING_FIELD_NUMBER: _ClassVar[int]
    CREDITSWARNINGMESSAGE_FIELD_NUMBER: _ClassVar[int]
    LANGUAGECODE_FIELD_NUMBER: _ClassVar[int]
    TotalCredits: float
    DisplayCreditsWarning: bool
    CreditsWarningMessage: str
    LanguageCode: str
    def __init__(self, TotalCredits: _Optional[float] = ..., DisplayCreditsWarning: bool = ..., CreditsWarningMessage: _Optional[str] = ..., LanguageCode: _Optional[str] = ...) -> None: ...

class SegmentationTelemetry(_message.Message):
    __slots__ = ("ClientInformation", "UploadTimeInMilliseconds", "SegmentationWaitInMilliseconds", "SegmentationDownloadInMilliseconds", "NumberOfRetries", "ModelID", "SegmentationID", "ClientError", "ClientErrorInformation")
    class ClientErrorType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ConnectionError: _ClassVar[SegmentationTelemetry.ClientErrorType]
        InternalClientError: _ClassVar[SegmentationTelemetry.ClientErrorType]
        ProgressTimeout: _ClassVar[SegmentationTelemetry.ClientErrorType]
    ConnectionError: SegmentationTelemetry.ClientErrorType
    InternalClientError: SegmentationTelemetry.ClientErrorType
    ProgressTimeout: SegmentationTelemetry.ClientErrorType
    CLIENTINFORMATION_FIELD_NUMBER: _ClassVar[int]
    UPLOADTIMEINMILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    SEGMENTATIONWAITINMILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    SEGMENTATIONDOWNLOADINMILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    NUMBEROFRETRIES_FIELD_NUMBER: _ClassVar[int]
    MODELID_FIELD_NUMBER: _ClassVar[int]
    SEGMENTATIONID_FIELD_NUMBER: _ClassVar[int]
    CLIENTERROR_FIELD_NUMBER: _ClassVar[int]
    CLIENTERRORINFORMATION_FIELD_NUMBER: _ClassVar[int]
    ClientInformation: ClientInformation
    UploadTimeInMilliseconds: int
    SegmentationWaitInMilliseconds: int
    SegmentationDownloadInMilliseconds: int
    NumberOfRetries: int
    ModelID: str
    SegmentationID: str
    ClientError: SegmentationTelemetry.ClientErrorType
    ClientErrorInformation: str
    def __init__(self, ClientInformation: _Optional[_Union[ClientInformation, _Mapping]] = ..., UploadTimeInMilliseconds: _Optional[int] = ..., SegmentationWaitInMilliseconds: _Optional[int] = ..., SegmentationDownloadInMilliseconds: _Optional[int] = ..., NumberOfRetries: _Optional[int] = ..., ModelID: _Optional[str] = ..., SegmentationID: _Optional[str] = ..., ClientError: _Optional[_Union[SegmentationTelemetry.ClientErrorType, str]] = ..., ClientErrorInformation: _Optional[str] = ...) -> None: ...

class BadRequestResponse(_message.Message):
    __slots__ = ("ErrorMessage", "ExceptionDetails")
    ERRORMESSAGE_FIELD_NUMBER: _ClassVar[int]
    EXCEPTIONDETAILS_FIELD_NUMBER: _ClassVar[int]
    ErrorMessage: str
    ExceptionDetails: str
    def __init__(self, ErrorMessage: _Optional[str] = ..., ExceptionDetails: _Optional[str] = ...) -> None: ...

class ApiInformation(_message.Message):
    __slots__ = ("Version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    Version: str
    def __init__(self, Version: _Optional[str] = ...) -> None: ...

class VendorStatus(_message.Message):
    __slots__ = ("TotalCredits", "LowCreditsWarningMessage", "ClientCountryCode", "SegmentationServiceStatus", "SegmentationServiceUrl", "AvailableSegmentationServiceLocations", "VendorName", "VendorDescriptionHtml", "LanguageCode")
    class VendorServiceStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        NotAvailableInCountrySpecified: _ClassVar[VendorStatus.VendorServiceStatus]
        Available: _ClassVar[VendorStatus.VendorServiceStatus]
    NotAvailableInCountrySpecified: VendorStatus.VendorServiceStatus
    Available: VendorStatus.VendorServiceStatus
    TOTALCREDITS_FIELD_NUMBER: _ClassVar[int]
    LOWCREDITSWARNINGMESSAGE_FIELD_NUMBER: _ClassVar[int]
    CLIENTCOUNTRYCODE_FIELD_NUMBER: _ClassVar[int]
    SEGMENTATIONSERVICESTATUS_FIELD_NUMBER: _ClassVar[int]
    SEGMENTATIONSERVICEURL_FIELD_NUMBER: _ClassVar[int]
    AVAILABLESEGMENTATIONSERVICELOCATIONS_FIELD_NUMBER: _ClassVar[int]
    VENDORNAME_FIELD_NUMBER: _ClassVar[int]
    VENDORDESCRIPTIONHTML_FIELD_NUMBER: _ClassVar[int]
    LANGUAGECODE_FIELD_NUMBER: _ClassVar[int]
    TotalCredits: float
    LowCreditsWarningMessage: str
    ClientCountryCode: str
    SegmentationServiceStatus: VendorStatus.VendorServiceStatus
    SegmentationServiceUrl: str
    AvailableSegmentationServiceLocations: _containers.RepeatedScalarFieldContainer[str]
    VendorName: str
    VendorDescriptionHtml: str
    LanguageCode: str
    def __init__(self, TotalCredits: _Optional[float] = ..., LowCreditsWarningMessage: _Optional[str] = ..., ClientCountryCode: _Optional[str] = ..., SegmentationServiceStatus: _Optional[_Union[VendorStatus.VendorServiceStatus, str]] = ..., SegmentationServiceUrl: _Optional[str] = ..., AvailableSegmentationServiceLocations: _Optional[_Iterable[str]] = ..., VendorName: _Optional[str] = ..., VendorDescriptionHtml: _Optional[str] = ..., LanguageCode: _Optional[str] = ...) -> None: ...
